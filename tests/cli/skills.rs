//! Skills: what `--skills` reads, and what of it reaches the agent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::TestEnv;

/// Bytes that are no text.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\xff\xfe";

/// Every file below a folder whose path ends so.
fn find(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(find(&path, end));
        } else if path.ends_with(end) {
            found.push(path);
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn skill(t: &TestEnv, folder: &str) {
    t.write(format!("{folder}/SKILL.md"), "---\nname: deploy\ndescription: d\n---\nbody\n");
}

#[test]
fn every_provider_gets_the_bytes_and_the_modes_of_a_skill() {
    let t = TestEnv::new();
    skill(&t, "skills/deploy");
    for (name, bytes, mode) in [
        ("scripts/run.sh", &b"#!/bin/sh\n"[..], 0o755),
        ("scripts/only-mine", b"#!/bin/sh\n", 0o700),
        ("assets/logo.png", PICTURE, 0o644),
        ("notes.txt", b"", 0o640),
    ] {
        let path = t.write(format!("skills/deploy/{name}"), bytes);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut count = 0;
    for provider in super::everything::providers() {
        let arguments = ["prepare", "--provider", provider, "--skills", "skills", "-o", "json"];
        let mut run = t.execenv(arguments).var("PATH", "/usr/bin:/bin");
        if ["reasonix", "dsh"].contains(&provider) {
            // They key their homes by the agent's id, which only a document has.
            t.write("t.json", r#"{"agent": {"id": "a"}}"#);
            run = t.execenv(arguments.into_iter().chain(["--task", "t.json"]));
        } else if provider == "openclaw" {
            continue; // it needs its program
        }
        let done = run.run();
        assert!(done.stderr.is_empty() || !done.stderr.contains("left out"), "{}: {done}", provider);
        let answer: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done}"));
        let root = PathBuf::from(answer["root_dir"].as_str().unwrap());
        for (name, bytes, expected) in [
            ("scripts/run.sh", &b"#!/bin/sh\n"[..], 0o755),
            ("scripts/only-mine", b"#!/bin/sh\n", 0o700),
            ("assets/logo.png", PICTURE, 0o644),
            ("notes.txt", b"", 0o640),
        ] {
            let copies = find(&root, &format!("deploy/{name}"));
            assert_eq!(copies.len(), 1, "{}: {name}: {copies:?}", provider);
            assert_eq!(fs::read(&copies[0]).unwrap(), bytes, "{}: {name}", provider);
            assert_eq!(mode(&copies[0]), expected, "{}: {name}", provider);
        }
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn links_are_followed_inside_the_skill_and_nowhere_else() {
    let t = TestEnv::new();
    t.write("secret/key", "TOP-SECRET");
    t.write("skills/deploy/texts/main.md", "---\nname: deploy\n---\nbody\n");
    t.link("skills/deploy/SKILL.md", "texts/main.md");
    t.link("skills/deploy/again.md", "texts/main.md");
    t.link("skills/deploy/absolute.md", t.tmp.join("skills/deploy/texts/main.md"));
    t.link("skills/deploy/same", "texts");
    t.link("skills/deploy/texts/loop", "..");
    t.link("skills/deploy/out.md", "../../secret/key");
    t.link("skills/deploy/out", "../../secret");
    t.link("skills/deploy/gone", "nowhere");
    // A skill's folder may be a link: the user put it there.
    skill(&t, "elsewhere/linked");
    t.link("skills/linked", "../elsewhere/linked");
    let answer = t.execenv(["prepare", "--provider", "claude", "--skills", "skills", "-o", "json"]).run();
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    let skills = Path::new(answer["work_dir"].as_str().unwrap()).join(".claude/skills");
    let body = |name: &str| fs::read_to_string(skills.join("deploy").join(name)).unwrap();
    assert!(body("SKILL.md").ends_with("body\n"));
    for name in ["again.md", "absolute.md", "same/main.md", "texts/main.md"] {
        assert_eq!(body(name), "---\nname: deploy\n---\nbody\n", "{name}");
    }
    for name in ["out.md", "out", "gone", "texts/loop", "same/loop"] {
        assert!(!skills.join("deploy").join(name).exists(), "{name}");
    }
    assert!(skills.join("deploy-multica/SKILL.md").is_file());
    let warnings = answer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let expected = "left out of the skills in [T]/skills: deploy/gone (a link that leads nowhere), \
        deploy/out (a link that leads out of the skill), deploy/out.md (a link that leads out of the skill), \
        deploy/same/loop (a link to a folder above it), deploy/texts/loop (a link to a folder above it)";
    assert_eq!(warnings[0].as_str().unwrap(), expected.replace("[T]", t.tmp.to_str().unwrap()));
}

#[test]
fn a_skill_file_that_leads_out_makes_no_skill() {
    let t = TestEnv::new();
    t.write("secret/key", "TOP-SECRET");
    t.link("skills/stolen/SKILL.md", "../../secret/key");
    t.execenv(["prepare", "--skills", "skills"])
        .fails(2, &["contains no skill", "stolen/SKILL.md (a link that leads out of the skill)"]);
    skill(&t, "skills/deploy");
    let answer = t.execenv(["prepare", "--provider", "codex", "--skills", "skills", "-o", "json"]).run();
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    let named = |warning: &&Value| warning.as_str().unwrap().contains("stolen/SKILL.md");
    assert_eq!(answer["warnings"].as_array().unwrap().iter().filter(named).count(), 1, "{answer}");
    let root = Path::new(answer["root_dir"].as_str().unwrap());
    let texts: Vec<_> = find(root, "SKILL.md").into_iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(texts.len(), 1);
    assert!(!String::from_utf8_lossy(&texts[0]).contains("TOP-SECRET"));
}

#[test]
fn what_is_no_skill_but_looks_like_one_is_named_once() {
    let t = TestEnv::new();
    skill(&t, "skills/deploy");
    t.write("skills/README.md", "our skills");
    t.write("skills/docs/x.md", "x");
    t.write("skills/lower/skill.md", "x");
    skill(&t, "skills/group/nested");
    t.write("skills/deploy/skill.md", "x");
    t.write("skills/deploy/.git/config", "x");
    t.write("skills/deploy/a\\b", "x");
    t.sh("mkfifo skills/deploy/pipe").ok();
    let answer = t.execenv(["prepare", "--skills", "skills", "-o", "json"]).run();
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    let expected = "left out of the skills in [T]/skills: deploy/.git (a repository of its own), \
        deploy/a\\b (no name for every system), deploy/pipe (not a file), deploy/skill.md (`SKILL.md` is used), \
        group/nested/SKILL.md (only a direct subfolder is a skill), lower/skill.md (its name must be `SKILL.md`)";
    let expected = expected.replace("[T]", t.tmp.to_str().unwrap());
    assert_eq!(answer["warnings"], serde_json::json!([expected]));
    t.execenv(["prepare", "--skills", "skills/deploy"])
        .fails(2, &["contains no skill", "it is a skill itself: `--skills DIR` takes the folder above it"]);
}

#[test]
fn a_frontmatter_that_is_no_yaml_is_mended_and_named() {
    let t = TestEnv::new();
    t.write(
        "skills/deploy/SKILL.md",
        "\u{feff}---\nname: deploy\ndescription: how: we deploy\nargument-hint: [where] [when]\n---\nbody\n",
    );
    t.write(
        "skills/hidden/SKILL.md",
        "---\nname: hidden\ndescription: not: for you\ndisable-model-invocation: true\n---\nbody\n",
    );
    let answer = t.execenv(["prepare", "--provider", "claude", "--skills", "skills", "-o", "json"]).run();
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    let work = Path::new(answer["work_dir"].as_str().unwrap());
    let text = |name: &str| fs::read_to_string(work.join(".claude/skills").join(name)).unwrap();
    assert_eq!(
        text("deploy/SKILL.md"),
        "---\nname: deploy\ndescription: \"how: we deploy\"\nargument-hint: \"[where] [when]\"\n---\nbody\n"
    );
    assert_eq!(
        text("hidden/SKILL.md"),
        "---\nname: hidden\ndescription: \"not: for you\"\ndisable-model-invocation: true\n---\nbody\n"
    );
    let brief = fs::read_to_string(work.join("CLAUDE.md")).unwrap();
    assert!(brief.contains("deploy") && !brief.contains("hidden"), "{brief}");
    let warnings = answer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["deploy/SKILL.md (`description`, `argument-hint`)", "hidden/SKILL.md (`description`)"] {
        assert!(warnings[0].as_str().unwrap().contains(part), "{warnings:?}");
    }
}
