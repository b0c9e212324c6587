use std::os::unix::fs::symlink;

use super::super::bench::{Bench, entry, make_dirs, skill, write};
use super::*;

fn names_in(bench: &Bench) -> Vec<String> {
    let Ok(names) = std::fs::read_dir(bench.home("skills")) else { return Vec::new() };
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_users_skills_are_linked_where_they_lie() {
    let bench = Bench::new(&[
        ("skills/one/SKILL.md", "1"),
        ("skills/one/deep/er/file", "nested"),
        ("skills/.DS_Store", "x"),
        ("skills/.system/own/SKILL.md", "codex's"),
        ("skills/readme.md", "no skill"),
    ]);
    write(&bench.tmp.join("installer/two/SKILL.md"), "2");
    symlink(bench.tmp.join("installer/two"), bench.shared("skills/two")).unwrap();
    symlink("nowhere", bench.shared("skills/three")).unwrap();
    let plan = bench.prepare();
    assert_eq!(names_in(&bench), ["one", "two"]);
    assert_eq!(bench.read("skills/one/deep/er/file").unwrap(), "nested");
    assert_eq!(
        entry(&plan, "skills/two"),
        Some(&HomeEntry::Link { target: bench.tmp.join("installer/two") })
    );
    assert_eq!(plan.warnings.iter().filter(|warning| warning.contains("leads nowhere")).count(), 1);

    bench.write("skills/one/SKILL.md", "edited");
    assert_eq!(bench.read("skills/one/SKILL.md").unwrap(), "edited");
    super::super::bench::remove(&bench.shared("skills/one"));
    bench.prepare();
    assert_eq!(names_in(&bench), ["two"]);
}

#[test]
fn a_skill_of_the_tasks_wins_and_never_writes_through_a_link() {
    let mut bench = Bench::new(&[("skills/writing/SKILL.md", "user"), ("skills/writing/extra", "user's")]);
    bench.prepare();
    assert_eq!(bench.read("skills/writing/extra").unwrap(), "user's");
    bench.skills = vec![skill("Writing", &[("notes/a.md", "task's")])];
    for _ in 0..2 {
        bench.prepare();
        assert!(bench.read("skills/writing/SKILL.md").unwrap().ends_with("task\n"));
        assert_eq!(bench.read("skills/writing/notes/a.md").unwrap(), "task's");
        assert_eq!(bench.read("skills/writing/extra"), None);
    }
    assert_eq!(std::fs::read_to_string(bench.shared("skills/writing/SKILL.md")).unwrap(), "user");
    assert!(!bench.shared("skills/writing/notes").exists());

    super::super::bench::remove(&bench.home("skills"));
    bench.skills = vec![skill("Writing", &[("notes/a.md", "changed")])];
    bench.prepare();
    assert_eq!(bench.read("skills/writing/notes/a.md").unwrap(), "changed");
}

#[test]
fn without_any_skill_there_is_no_folder() {
    let mut bench = Bench::new(&[]);
    bench.skills = vec![skill("a", &[])];
    bench.prepare();
    bench.skills.clear();
    bench.prepare();
    assert!(!bench.home("skills").exists());
    make_dirs(&bench.shared("skills"));
    bench.prepare();
    assert!(!bench.home("skills").exists());
}

#[test]
fn a_reference_is_a_path_below_its_root() {
    let skills = [skill("Mine", &[])];
    let (home, user) = (Path::new("/env/codex-home"), Path::new("/home/ada"));
    for (root, key, expected) in [
        ("provider", "a", Some("/env/codex-home/skills/a/SKILL.md")),
        ("", " a/./b ", Some("/env/codex-home/skills/a/b/SKILL.md")),
        ("universal", "a", Some("/home/ada/.agents/skills/a/SKILL.md")),
        ("universal", "mine", Some("/home/ada/.agents/skills/mine/SKILL.md")),
        ("provider", "mine/x", None),
        ("provider", "..", None),
        ("provider", "a/../../b", None),
        ("provider", "/etc", None),
        ("provider", ".", None),
        ("provider", "", None),
        ("elsewhere", "a", None),
    ] {
        let skill = DisabledSkill { root: root.into(), key: key.into(), ..Default::default() };
        let found = disabled(&[skill], &skills, home, Some(user));
        assert_eq!(found.first().map(PathBuf::as_path), expected.map(Path::new), "{root} {key}");
    }
}

#[test]
fn a_hidden_skill_is_hidden_in_codex_words_too() {
    let hidden = "---\nname: x\ndisable-model-invocation: true\n---\nbody\n";
    let mut bench = Bench::new(&[]);
    for (own, expected) in [
        (None, Some("policy:\n  allow_implicit_invocation: false\n")),
        (
            Some("interface: {}\npolicy:\n  allow_implicit_invocation: true\n"),
            Some("interface: {}\npolicy:\n  allow_implicit_invocation: false\n"),
        ),
        (Some("- a list"), Some("- a list")),
    ] {
        let files: Vec<_> = own.iter().map(|text| (POLICY, *text)).collect();
        bench.skills =
            vec![PlannedSkill { content: hidden.into(), hidden: true, ..skill("Writing", &files) }];
        let plan = bench.prepare();
        assert_eq!(bench.read("skills/writing/agents/openai.yaml").as_deref(), expected);
        let warned = plan.warnings.iter().any(|warning| warning.contains("offers the hidden skill"));
        assert_eq!(warned, own == Some("- a list"));
    }
    bench.skills = vec![skill("Writing", &[])];
    bench.prepare();
    assert_eq!(bench.read("skills/writing/agents/openai.yaml"), None);
}
