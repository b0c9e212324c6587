//! Links the unwinder of libgcc into the program, where the linker has it as an archive. As a shared library (`libgcc_s`) it is
//! opened, mapped and relocated at each start, which takes a tenth of the time of a short command.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let target = ["OS", "ENV"].map(|part| variable(&format!("CARGO_CFG_TARGET_{part}")));
    if target == ["linux", "gnu"].map(|part| Some(part.to_owned())) && has_archive() {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Asks the program that links; it repeats a name that it does not know. Without an answer the shared library stays.
fn has_archive() -> bool {
    let linker = variable("RUSTC_LINKER").unwrap_or_else(|| "cc".to_owned());
    #[expect(clippy::disallowed_methods, reason = "the build is no part of the program")]
    let answer = std::process::Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    let answer = answer.map(|answer| answer.stdout).unwrap_or_default();
    let path = String::from_utf8_lossy(&answer);
    Path::new(path.trim()).is_absolute()
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a build script is told by variables")]
    std::env::var(name).ok()
}
