//! Checks what a command prints and writes against `schemas/`.

mod validator;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use execenv::internals::man;
use serde_json::Value;

/// Options before the command that take a value.
const WITH_VALUE: [&str; 5] = ["-o", "--output", "--workspaces-root", "--config", "--color"];
/// Commands whose name has two words.
const GROUPS: [&str; 3] = ["merge", "trash", "hook"];
/// Commands that print no JSON of ours: text only, or what an agent CLI expects.
const WITHOUT: [&str; 3] = ["demo", "hook-claude", "help"];

/// Every schema by its name.
pub static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let schema = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        validator::check_keywords(&schema).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (name, schema)
    };
    files.map(read).collect()
});

thread_local! {
    static EXERCISED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The schemas that documents were compared with in this thread.
pub fn exercised() -> BTreeSet<String> {
    EXERCISED.with_borrow(Clone::clone)
}

/// Whether a document is as its schema says.
pub fn check(name: &str, document: &Value) -> Result<(), String> {
    let schema = SCHEMAS.get(name).ok_or_else(|| format!("there is no schemas/{name}.json"))?;
    EXERCISED.with_borrow_mut(|names| names.insert(name.to_owned()));
    // A file that a person or another program writes may have fields of theirs.
    let checked = validator::check(schema, document, name == "task");
    checked.map_err(|error| format!("schemas/{name}.json: {error}\n{document}"))
}

/// A command of execenv's, before it is started.
pub struct Called {
    /// Its name, as its manual page has it; empty: there is none.
    pub page: String,
    schema: Option<String>,
    is_json: bool,
    /// Documents that it reads.
    inputs: Vec<(&'static str, PathBuf)>,
    /// The state files before, by inode and time: one that is written has others.
    state: BTreeSet<Identity>,
}

impl Called {
    /// What a command line calls; `None`: it is no command of execenv's, or asks for help.
    pub fn of(command: &Command, root: &Path) -> Option<Called> {
        let is_execenv = command.get_program().to_str() == Some(env!("CARGO_BIN_EXE_execenv"));
        let words = command.get_args().map(OsStr::to_str).collect::<Option<Vec<&str>>>()?;
        let words: Vec<&str> = words.into_iter().take_while(|word| *word != "--").collect();
        let is_about_itself =
            words.iter().any(|word| ["--help", "-h", "--version", "-V", "help"].contains(word));
        if !is_execenv || is_about_itself {
            return None;
        }
        let mut names = (0..words.len()).filter(|place| {
            let is_value = *place > 0 && WITH_VALUE.contains(&words[place - 1]);
            !words[*place].starts_with('-') && !is_value
        });
        let first = words[names.next()?];
        let page = match names.next() {
            Some(second) if GROUPS.contains(&first) => format!("{first}-{}", words[second]),
            _ => first.to_owned(),
        };
        let after = |option: &str| {
            let at = words.iter().position(|word| *word == option)?;
            words.get(at + 1).copied()
        };
        let joined = |option: &str| words.iter().find_map(|word| word.strip_prefix(option));
        let variable = command.get_envs().find(|(name, _)| *name == "EXECENV_OUTPUT");
        let format = after("-o").or(after("--output")).or(joined("--output=")).or(joined("-o"));
        let format = format.or(variable.and_then(|(_, value)| value?.to_str()));
        let folder = command.get_current_dir().unwrap_or(Path::new("/"));
        let is_one = !words.contains(&"--line");
        let task =
            after("--task").filter(|file| *file != "-" && is_one).map(|file| ("task", folder.join(file)));
        let config = after("--config").map(|file| ("config-file", folder.join(file)));
        Some(Called {
            schema: schema_of(&page, &words),
            is_json: format == Some("json"),
            inputs: task.into_iter().chain(config).collect(),
            state: state_files(root).into_values().collect(),
            page,
        })
    }

    /// Compares what the command has printed, read and written.
    pub fn check(&self, output: &Output, root: &Path) -> Result<(), String> {
        self.check_status(output.status.code())?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        if let Some(line) = stderr.lines().next_back().filter(|line| line.starts_with("{\"error\":")) {
            let failure: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            check("error", &failure)?;
            self.check_code(failure["error"]["code"].as_str().unwrap_or_default())?;
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        if self.is_json && !stdout.is_empty() {
            self.check_answer(&stdout, output.status.success())?;
        }
        if output.status.success() {
            for (name, path) in &self.inputs {
                let Ok(bytes) = std::fs::read(path) else { continue };
                // A file with a mark at its beginning, or with comments, is not the matter here.
                let Ok(document) = serde_json::from_slice(&bytes) else { continue };
                check(name, &document)?;
            }
        }
        let written = state_files(root).into_iter().filter(|(_, file)| !self.state.contains(file));
        for (path, _) in written {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let Ok(document) = serde_json::from_slice::<Value>(&bytes) else { continue };
            let name = path.file_name().unwrap_or_default().to_str().unwrap_or_default();
            let (_, name) = STATE.iter().find(|(file, _)| file.ends_with(name)).unwrap();
            check(name, &document).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    /// The manual page lists the exit status. `run` and `shell` return that of their program, and a signal that of every
    /// program.
    fn check_status(&self, status: Option<i32>) -> Result<(), String> {
        if man::is_of_program(&self.page) {
            return Ok(());
        }
        let Some(listed) = man::statuses_of(&self.page) else { return Ok(()) };
        let is_listed =
            |status: i32| status > 128 || u8::try_from(status).is_ok_and(|status| listed.contains(&status));
        match status {
            Some(status) if !is_listed(status) => {
                Err(format!("the page of {} does not list status {status}: {listed:?}", self.page))
            }
            _ => Ok(()),
        }
    }

    /// The manual page lists the code.
    fn check_code(&self, word: &str) -> Result<(), String> {
        let Some(listed) = man::codes_of(&self.page) else { return Ok(()) };
        match listed.iter().any(|code| code.word() == word) {
            true => Ok(()),
            false => Err(format!("the page of {} does not list the code `{word}`", self.page)),
        }
    }

    fn check_answer(&self, stdout: &str, is_done: bool) -> Result<(), String> {
        let is_any = self.page == "schema" && self.schema.is_none() || WITHOUT.contains(&&*self.page);
        if is_any {
            return Ok(());
        }
        let schema = self.schema.as_deref().ok_or_else(|| format!("{} has no schema", self.page))?;
        if ["run-event", "logs"].contains(&schema) {
            for (number, line) in stdout.lines().enumerate() {
                let event: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
                check(schema, &event)?;
                if event.get("schema").is_some() != (number == 0) {
                    return Err(format!("the first event alone has `schema`: {line}"));
                }
            }
            return Ok(());
        }
        let documents: Vec<&str> =
            if schema == "gc-stream" { stdout.lines().collect() } else { vec![stdout] };
        for text in documents {
            match serde_json::from_str(text) {
                Ok(document) => check(schema, &document)?,
                // `gc` writes as it goes on, and says on standard error why it could not end.
                Err(_) if !is_done => {}
                Err(error) => return Err(format!("{error}: {text}")),
            }
        }
        Ok(())
    }
}

/// The schema of a command's answer: its own, or that of one of its options.
fn schema_of(page: &str, words: &[&str]) -> Option<String> {
    if page == "run" {
        return Some("run-event".to_owned());
    }
    let options = words.iter().filter_map(|word| word.strip_prefix("--"));
    let of_option = options
        .map(|option| format!("{page}-{}", option.split('=').next().unwrap_or_default()))
        .find(|name| SCHEMAS.contains_key(name));
    // `schema NAME` prints a schema.
    let is_name = page == "schema"
        && words
            .iter()
            .skip_while(|word| **word != "schema")
            .nth(1)
            .is_some_and(|word| !word.starts_with('-'));
    of_option.or_else(|| Some(page.to_owned())).filter(|name| !is_name && SCHEMAS.contains_key(name))
}

/// State files, by their place in an env root, and their schemas.
const STATE: [(&str, &str); 3] = [
    (".gc_meta.json", "meta"),
    (".multica_sidecar_manifest.json", "manifest"),
    ("output/result.json", "result"),
];

/// Inode and time: the number alone is soon that of another file.
type Identity = (u64, i64, i64);

fn state_files(root: &Path) -> BTreeMap<PathBuf, Identity> {
    use std::os::unix::fs::MetadataExt;
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
    };
    // Those in the trash, too: what a test has put there comes back as it is.
    let env_roots = folders(root).flat_map(|workspace| folders(&workspace).collect::<Vec<_>>());
    let files = env_roots.flat_map(|env| STATE.map(|(name, _)| env.join(name)));
    let identity = |path: PathBuf| {
        let metadata = path.symlink_metadata().ok().filter(|metadata| metadata.is_file())?;
        Some((path, (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())))
    };
    files.filter_map(identity).collect()
}
