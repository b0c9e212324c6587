//! What is generated from the one clap definition is in the repository and current: completions and manual pages.
//! `EXECENV_REGENERATE=1 cargo test --test cli generated` rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use execenv::internals::completions::{self, registration};
use execenv::internals::{Cli, man};

fn compare(folder: &str, expected: &[(String, String)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if std::env::var("EXECENV_REGENERATE").is_ok() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in expected {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let is_stale =
        |(name, text): &&(String, String)| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text);
    let mut stale: Vec<PathBuf> =
        expected.iter().filter(is_stale).map(|(name, _)| folder.join(name)).collect();
    let is_known = |path: &PathBuf| expected.iter().any(|(name, _)| path.ends_with(name));
    let there = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    stale.extend(there.filter(|path| !is_known(path)));
    assert!(
        stale.is_empty(),
        "not current: {stale:#?}\nEXECENV_REGENERATE=1 cargo test --test cli generated"
    );
}

#[test]
fn completions_are_current() {
    let files = ["execenv.bash", "_execenv", "execenv.fish", "_execenv.ps1", "execenv.elv"];
    let scripts = completions::SHELLS.map(|shell| registration(shell).unwrap());
    compare("completions", &files.into_iter().map(str::to_owned).zip(scripts).collect::<Vec<_>>());
}

#[test]
fn manual_pages_are_current() {
    let pages =
        man::pages(Cli::command()).unwrap().into_iter().map(|(name, text)| (format!("{name}.1"), text));
    compare("man", &pages.collect::<Vec<_>>());
}

#[test]
fn the_readme_gives_the_command_that_ci_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let ci = fs::read_to_string(root.join(".ci/run")).unwrap();
    assert!(readme.contains("\ncargo test --locked\n") && ci.contains("\ncargo test --locked\n"));
}
