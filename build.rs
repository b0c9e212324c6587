//! How the program is linked: with the unwinder in it, and in a release build without tables to unwind, with short relocations,
//! and with functions of the same code once. And what it carries: the JSON Schemas and the guide, packed.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The guide as a manual page, which a test generates.
const GUIDE: &str = "man/execenv-guide.7";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    pack_schemas();
    println!("cargo:rerun-if-changed={GUIDE}");
    pack("guide.deflate", &[&std::fs::read(GUIDE).expect("the guide's page can be read")]);
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let target = ["OS", "ENV"].map(|part| variable(&format!("CARGO_CFG_TARGET_{part}")));
    if target != ["linux", "gnu"].map(|part| Some(part.to_owned())) || !has_archive() {
        return;
    }
    link_the_unwinder();
    if variable("PROFILE").as_deref() == Some("release") {
        leave_out_tables();
        if variable("HOST") == variable("TARGET") && reads_short_relocations() {
            println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
        if links_with(SAME_CODE_ONCE) {
            println!("cargo:rustc-link-arg-bins={SAME_CODE_ONCE}");
        }
    }
}

/// Packs the files of `schemas/`, which one test generates: name and text of each, by name, each followed by a byte 0, deflated
/// together, because they have much in common.
fn pack_schemas() {
    println!("cargo:rerun-if-changed=schemas");
    let entries = std::fs::read_dir("schemas").into_iter().flatten().flatten();
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some()).collect();
    files.sort_by(|one, other| one.file_stem().cmp(&other.file_stem()));
    let mut parts = Vec::new();
    for file in &files {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("names of schemas are UTF-8");
        let text = std::fs::read(file).expect("a schema can be read");
        parts.extend([name.as_bytes().to_vec(), vec![0], text, vec![0]]);
    }
    pack("schemas.deflate", &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

/// Deflates parts, one after the other, into a file that the program includes.
fn pack(name: &str, parts: &[&[u8]]) {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    parts.iter().try_for_each(|part| packer.write_all(part)).expect("memory can be written to");
    let folder = variable("OUT_DIR").expect("cargo names a folder for what a build script makes");
    let packed = packer.finish().expect("memory can be written to");
    #[expect(clippy::disallowed_methods, reason = "the build is no part of the program")]
    std::fs::write(Path::new(&folder).join(name), packed)
        .expect("the folder for what a build script makes can be written");
}

/// As a shared library (`libgcc_s`) the unwinder is opened, mapped and relocated at each start, which takes a tenth of the time of
/// a short command.
fn link_the_unwinder() {
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}

/// Whether the linker has the unwinder as an archive. It is asked for the path, and repeats a name that it does not know. Without
/// an answer the shared library stays.
fn has_archive() -> bool {
    let linker = variable("RUSTC_LINKER").unwrap_or_else(|| "cc".to_owned());
    Path::new(answer(&linker, "-print-file-name=libgcc_eh.a").trim()).is_absolute()
}

/// A panic ends the release program, so nothing is ever unwound in it; the tables for that would be a twelfth of its size. The
/// program takes no backtrace either.
fn leave_out_tables() {
    const SCRIPT: &str =
        "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table*) } } INSERT AFTER .text;\n";
    let folder = variable("OUT_DIR").expect("cargo names a folder for what a build script makes");
    let path = Path::new(&folder).join("no-tables.ld");
    #[expect(clippy::disallowed_methods, reason = "the build is no part of the program")]
    std::fs::write(&path, SCRIPT).expect("the folder for what a build script makes can be written");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", path.display());
}

/// Whether the C library of this machine, for which the program is built, reads relative relocations in their short form, which
/// takes a tenth of the room: glibc does since 2.36.
fn reads_short_relocations() -> bool {
    let answer = answer("getconf", "GNU_LIBC_VERSION");
    let mut numbers = answer.trim().trim_start_matches("glibc ").split('.').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (2, 36))
}

/// Generic functions often become the same code for several types. Nothing tells functions apart by their addresses: Rust does
/// not promise that they differ, and the compiler itself puts some together.
const SAME_CODE_ONCE: &str = "-Wl,--icf=all";

/// Whether the linker that the compiler will use takes an argument: lld and mold fold code, GNU's does not know the word. Which of
/// them it is depends on the compiler's version and the builder's flags, so a program without content is linked in the same way.
fn links_with(argument: &str) -> bool {
    let folder = variable("OUT_DIR").expect("cargo names a folder for what a build script makes");
    let (source, program) = (Path::new(&folder).join("empty.rs"), Path::new(&folder).join("empty"));
    #[expect(clippy::disallowed_methods, reason = "the build is no part of the program")]
    std::fs::write(&source, "fn main() {}\n")
        .expect("the folder for what a build script makes can be written");
    let (Some(compiler), Some(target)) = (variable("RUSTC"), variable("TARGET")) else { return false };
    #[expect(clippy::disallowed_methods, reason = "the build is no part of the program")]
    let mut command = Command::new(compiler);
    command.arg("--target").arg(target).arg("-o").arg(program).arg(source);
    command.args(variable("RUSTC_LINKER").map(|linker| format!("-Clinker={linker}")));
    let flags = variable("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    command.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    command.arg(format!("-Clink-arg={argument}"));
    command.output().is_ok_and(|output| output.status.success())
}

/// What a program prints; nothing where it cannot be started.
fn answer(program: &str, argument: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the build is no part of the program")]
    let output = Command::new(program).arg(argument).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a build script is told by variables")]
    std::env::var(name).ok()
}
