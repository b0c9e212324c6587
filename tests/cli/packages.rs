//! What packages and the action consist of is there and belongs together. `tests/real/packages.sh` builds and installs the packages,
//! `tests/real/action.sh` runs the action.

use std::fs;
use std::path::Path;

use toml_edit::DocumentMut;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn manifest() -> DocumentMut {
    text("Cargo.toml").parse().unwrap()
}

/// The lines of the scripts in a file of YAML: all that are further to the right than their `run: |`, and commands in one line.
fn script_lines(yaml: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = Vec::new();
    let mut block = None;
    for line in yaml.lines() {
        if block.is_some_and(|start| line.trim().is_empty() || indent(line) > start) {
            lines.push(line.trim().to_owned());
            continue;
        }
        block = None;
        if let Some(command) = line.trim_start().trim_start_matches("- ").strip_prefix("run: ") {
            match command.starts_with('|') {
                true => block = line.find("run: "),
                false => lines.push(command.to_owned()),
            }
        }
    }
    lines
}

#[test]
fn no_value_is_pasted_into_a_script() {
    for (file, at_least) in
        [("action.yml", 100), (".github/workflows/release.yml", 10), ("examples/github-actions.yml", 2)]
    {
        let lines = script_lines(&text(file));
        assert!(lines.len() >= at_least, "{file}: only {} lines of scripts were found", lines.len());
        let pasted: Vec<&String> = lines.iter().filter(|line| line.contains("${{")).collect();
        assert!(pasted.is_empty(), "{file}: an expression becomes a part of the script: {pasted:#?}");
    }
    assert_eq!(
        script_lines("a:\n  - run: x ${{ y }}\n  - run: |\n      b\n\n      c\n    d: e\n"),
        ["x ${{ y }}", "b", "", "c"]
    );
}

#[test]
fn the_action_calls_commands_and_options_that_exist() {
    let action = text("action.yml");
    let mut calls = Vec::new();
    for script in action.split("      run: |").skip(1) {
        let Some((_, call)) = script.split_once("\"$EXECENV\" ") else { continue };
        let call = call.lines().next().unwrap();
        let command = call.split(' ').next().unwrap();
        calls.push(command);
        let page = text(&format!("man/execenv-{command}.1")).replace("\\-", "-");
        let collected = script.lines().filter_map(|line| line.trim().strip_prefix("option "));
        let names = collected
            .chain([call])
            .flat_map(|line| line.split(' '))
            .filter_map(|word| word.strip_prefix("--"))
            .filter(|name| !name.is_empty());
        for name in names {
            assert!(page.contains(&format!("--{name}\\fR")), "execenv {command} has no --{name}");
        }
    }
    assert_eq!(calls, ["trust", "prepare", "run", "show", "report", "cleanup"]);
}

#[test]
fn the_actions_that_the_release_uses_are_pinned_to_commits() {
    let workflow = text(".github/workflows/release.yml");
    let used: Vec<&str> =
        workflow.lines().filter_map(|line| line.split_once("uses: ")).map(|(_, used)| used).collect();
    assert!(used.len() >= 5, "{used:?}");
    for action in used {
        let commit = action.split_once('@').unwrap().1.split(' ').next().unwrap();
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
    }
}

/// Files that match a path with `*` in its last part.
fn matching(pattern: &str) -> usize {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let Some((start, end)) = name.split_once('*') else { return usize::from(root().join(pattern).is_file()) };
    let names = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start) && name.ends_with(end)).count()
}

#[test]
fn packages_hold_files_that_are_there_and_both_the_same() {
    let manifest = manifest();
    let metadata = &manifest["package"]["metadata"];
    let sources = |package: &str, key: &dyn Fn(&toml_edit::Value) -> Option<String>| {
        let assets = metadata[package]["assets"].as_array().unwrap();
        assets.iter().map(|asset| key(asset).unwrap()).collect::<Vec<_>>()
    };
    let deb = sources("deb", &|asset| Some(asset.as_array()?.get(0)?.as_str()?.to_owned()));
    let rpm =
        sources("generate-rpm", &|asset| Some(asset.as_inline_table()?.get("source")?.as_str()?.to_owned()));
    // The RPM package takes compressed pages, and names its licence itself.
    let pages = |source: &String| source.replace("target/release/man/", "man/").replace(".gz", "");
    let mut rpm: Vec<String> = rpm.iter().map(pages).filter(|source| source != "LICENSE").collect();
    let mut deb = deb;
    deb.sort();
    rpm.sort();
    assert_eq!(deb, rpm);
    for source in deb.iter().filter(|source| !source.starts_with("target/")) {
        assert!(matching(source) > 0, "{source}");
    }
    let pages = matching("man/*");
    assert!(pages > 20 && matching("man/*.1") + matching("man/*.7") == pages);
}

#[test]
fn the_version_of_the_packages_is_that_of_the_program() {
    let manifest = manifest();
    let version = manifest["package"]["version"].as_str().unwrap();
    let changelog = text("packaging/changelog");
    assert!(changelog.starts_with(&format!("execenv ({version}-1) ")), "{changelog}");
}
