//! What is generated is in the repository and current: completions and manual pages from the one clap definition, the page of
//! the guide from `docs/guide.md`, and the picture of the demo from its output.
//! `EXECENV_REGENERATE=1 cargo test --test cli generated` rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use execenv::internals::completions::{self, registration};
use execenv::internals::{Cli, man};

use crate::support::{TestEnv, guide};

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
    let pages = man::pages(Cli::command()).unwrap();
    let date = pages[0].1.split(' ').nth(3).unwrap().to_owned();
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
    let guide = guide::page(&guide, env!("CARGO_PKG_VERSION"), &date);
    let pages = pages.into_iter().map(|(name, text)| (format!("{name}.1"), text));
    let pages = pages.chain([("execenv-guide.7".to_owned(), guide)]);
    compare("man", &pages.collect::<Vec<_>>());
}

#[test]
fn the_readme_gives_the_command_that_ci_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let ci = fs::read_to_string(root.join(".ci/run")).unwrap();
    assert!(readme.contains("\ncargo test --locked\n") && ci.contains("\ncargo test --locked\n"));
}

/// The output of the demo, without what differs from run to run: the folder's random name, ages and sizes.
fn demo_output() -> String {
    let t = TestEnv::new();
    let text = t.execenv(["demo"]).ok().stdout;
    let mut parts = text.split("execenv-demo-");
    let first = parts.next().unwrap().to_owned();
    let text = parts.fold(first, |text, part| format!("{text}execenv-demo{}", &part[8..]));
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let lines = text.lines().map(|line| {
        let mut cells: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for place in 0..cells.len() {
            let is_size = cells.get(place + 1).is_some_and(|unit| unit.starts_with("KiB"));
            let number = cells[place].rsplit(['(', '\t']).next().unwrap().to_owned();
            if is_size && is_number(&number) {
                cells[place] = cells[place].replace(&number, "2.2");
            } else if cells[place].strip_suffix('s').is_some_and(is_number) {
                cells[place] = "0s".to_owned();
            }
        }
        cells.join(" ").replace('\t', "  ")
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// A picture of a terminal with this text.
fn picture(text: &str) -> String {
    const LINE: usize = 17;
    let columns = text.lines().map(|line| line.chars().count()).max().unwrap();
    let (width, height) = (columns * 8 + 32, text.lines().count() * LINE + 32);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1e1e2e\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\" xml:space=\"preserve\">\n"
    );
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let colour = match line.chars().next() {
            Some('#') => "#7f9f7f",
            Some('$') => "#f5e0a0",
            _ => "#cdd6f4",
        };
        let escaped = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let y = 28 + number * LINE;
        svg.push_str(&format!("<text x=\"16\" y=\"{y}\" fill=\"{colour}\">{escaped}</text>\n"));
    }
    svg + "</g>\n</svg>\n"
}

#[test]
fn the_picture_of_the_demo_shows_its_output() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/demo.svg");
    let drawn = picture(&demo_output());
    if std::env::var("EXECENV_REGENERATE").is_ok() {
        fs::write(&file, &drawn).unwrap();
    }
    let shown = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(shown, drawn, "EXECENV_REGENERATE=1 cargo test --test cli generated");
}
