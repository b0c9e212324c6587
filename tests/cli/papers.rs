//! What the code and the papers point to is in this repository: papers, files, links, numbered decisions, options. And the
//! README shows what happens.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::TestEnv;

/// Files of Markdown that are the agents' or a user's, not papers of this repository.
const NOT_PAPERS: [&str; 11] = [
    "SKILL.md",
    "AGENTS.md",
    "CLAUDE.md",
    "CODEBUDDY.md",
    "GEMINI.md",
    "QWEN.md",
    "issue_context.md",
    "instructions.md",
    "rules.md",
    "RULES.md",
    "reply.md",
];
/// Folders whose files are named by their path from the root.
const FOLDERS: [&str; 8] =
    ["src/", "tests/", "docs/", "benches/", "examples/", "man/", "completions/", ".ci/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of one line that a person reads, with where it stands.
struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

impl Line {
    fn shown(&self, what: &str) -> String {
        format!("{}:{}: {what}", self.file.strip_prefix(root()).unwrap().display(), self.number)
    }
}

/// The comment of a line of code.
fn comment(line: &str) -> Option<&str> {
    let start = if line.trim_start().starts_with("//") { Some(0) } else { line.find(" // ") };
    start.map(|at| &line[at..])
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !matches!(name, "target" | ".git") {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// Comments of the sources and scripts, and the text of papers and pages without blocks of code.
fn lines() -> Vec<Line> {
    let mut all = Vec::new();
    files(root(), &mut all);
    let mut lines = Vec::new();
    for file in all {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let text = match extension {
            "rs" | "md" | "sh" | "toml" | "1" => fs::read_to_string(&file).unwrap(),
            _ => continue,
        };
        let mut is_code = false;
        for (index, line) in text.lines().enumerate() {
            is_code ^= extension == "md" && line.trim_start().starts_with("```");
            let text = match extension {
                "rs" => comment(line),
                "sh" | "toml" => line.find('#').map(|at| &line[at..]),
                _ => (!is_code).then_some(line),
            };
            lines.extend(text.map(|text| Line {
                file: file.clone(),
                number: index + 1,
                text: text.to_owned(),
            }));
        }
    }
    assert!(lines.len() > 5_000, "only {} lines were found", lines.len());
    lines
}

/// The words of a line that may be paths or numbers of sections.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    text.split(move |c| !is_part(c)).map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty())
}

/// A capital letter, a dash and digits: a section of a paper, by its number.
fn is_section(word: &str) -> bool {
    let mut parts = word.splitn(2, '-');
    let letter =
        parts.next().is_some_and(|letter| letter.len() == 1 && letter.as_bytes()[0].is_ascii_uppercase());
    let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    letter && parts.next().is_some_and(digits)
}

fn exists(line: &Line, word: &str) -> bool {
    root().join(word).exists() || line.file.parent().unwrap().join(word).exists()
}

#[test]
fn no_text_points_to_a_paper_or_a_file_that_is_not_here() {
    let mut wrong = Vec::new();
    for line in lines() {
        for word in words(&line.text) {
            let name = word.rsplit('/').next().unwrap();
            let is_paper = word.ends_with(".md") && !NOT_PAPERS.contains(&name);
            let is_file = FOLDERS.iter().any(|folder| word.starts_with(folder)) && name.contains('.');
            if is_section(word) || (is_paper || is_file) && !exists(&line, word) {
                wrong.push(line.shown(word));
            }
        }
    }
    assert!(wrong.is_empty(), "{} pointers to nothing: {wrong:#?}", wrong.len());
}

#[test]
fn links_of_the_papers_lead_to_files() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in lines().iter().filter(|line| line.file.extension().is_some_and(|extension| extension == "md"))
    {
        for target in line.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || target.contains("://") {
                continue;
            }
            count += 1;
            if !line.file.parent().unwrap().join(path).exists() {
                wrong.push(line.shown(target));
            }
        }
    }
    assert!(wrong.is_empty() && count > 5, "of {count}: {wrong:#?}");
}

#[test]
fn decisions_that_the_code_cites_are_written_down() {
    let text = fs::read_to_string(root().join("docs/decisions.md")).unwrap();
    let number = |word: &str| word.strip_prefix('D').and_then(|digits| digits.parse::<u32>().ok());
    let written: BTreeSet<u32> =
        text.lines().filter_map(|line| number(words(line.strip_prefix("**")?).next()?)).collect();
    let mut wrong = Vec::new();
    for line in lines().iter().filter(|line| line.file.starts_with(root().join("src"))) {
        for cited in words(&line.text).filter_map(number).filter(|cited| !written.contains(cited)) {
            wrong.push(line.shown(&format!("D{cited}")));
        }
    }
    assert!(wrong.is_empty() && written.len() > 20, "of {}: {wrong:#?}", written.len());
}

/// Options of other programs that the papers name: cargo, git, systemctl, Claude Code.
const OPTIONS_OF_OTHERS: [&str; 14] = [
    "examples",
    "lib",
    "locked",
    "megabytes",
    "nocapture",
    "now",
    "oneline",
    "path",
    "permission-mode",
    "release",
    "short",
    "strict-mcp-config",
    "test",
    "user",
];

#[test]
fn options_that_the_papers_name_exist() {
    let mut pages = String::new();
    for entry in fs::read_dir(root().join("man")).unwrap() {
        pages += &fs::read_to_string(entry.unwrap().path()).unwrap().replace("\\-", "-");
    }
    let is_known = |name: &str| pages.contains(&format!("--{name}\\fR")) || OPTIONS_OF_OTHERS.contains(&name);
    let (mut wrong, mut count) = (Vec::new(), 0);
    let papers = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/guide.md",
        "docs/decisions.md",
        "docs/glossary.md",
    ];
    for paper in papers {
        let text = fs::read_to_string(root().join(paper)).unwrap();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            let Some(name) =
                word.strip_prefix("--").filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            else {
                continue;
            };
            count += 1;
            if !is_known(name) {
                wrong.push(format!("{paper}: --{name}"));
            }
        }
    }
    assert!(wrong.is_empty() && count > 50, "of {count}: {wrong:#?}");
}

/// The README's first example, in a project as it supposes one: each command prints what stands below it.
#[test]
fn the_transcript_of_the_readme_is_what_happens() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let transcript = readme.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let t = TestEnv::new();
    t.write("rules.md", "Write tests first.\n");
    t.write("skills/deploy/SKILL.md", "---\nname: deploy\ndescription: how we deploy\n---\nRun it.\n");
    t.write("project/CLAUDE.md", "My rules.\n");
    t.sh("cd project; git init -q; git add .; git -c user.name=a -c user.email=a@b commit -qm start").ok();
    let commands = transcript.lines().filter_map(|line| line.strip_prefix("$ "));
    let script: Vec<String> = commands
        .map(|command| format!("printf '%s\\n' {}\n{command}", quoted(&format!("$ {command}"))))
        .collect();
    let done = t.sh(&format!("cd project\n{}", script.join("\n"))).ok();
    assert_eq!(done.stdout, transcript);
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
