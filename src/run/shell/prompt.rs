//! The mark in front of a shell's prompt. Each shell has its own way to read a file of ours; all of them read the user's own first.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::run::options::Variables;
use crate::sys::tree::Tree;

/// The folder of the files, below the private folder for temporary files: it goes with that.
const FOLDER: &str = "execenv-shell";

/// A shell by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bash,
    Zsh,
    Fish,
    /// One that reads the file that ENV names.
    Posix,
    /// One that is not known: it has the variable only.
    Other,
}

/// What makes the mark.
#[derive(Debug)]
pub(super) struct Prompt {
    kind: Kind,
    mark: String,
    /// Where zsh looks for the user's files, and the file of the user's that another shell reads.
    users: Option<OsString>,
}

impl Prompt {
    /// The mark of an environment's key, for this shell with these variables.
    pub(super) fn of(shell: &Path, key: &str, variables: &Variables) -> Prompt {
        let kind = match shell.file_name().and_then(OsStr::to_str).unwrap_or_default() {
            "bash" => Kind::Bash,
            "zsh" => Kind::Zsh,
            "fish" => Kind::Fish,
            "sh" | "dash" | "ash" | "ksh" | "mksh" => Kind::Posix,
            _ => Kind::Other,
        };
        let name = match kind {
            Kind::Zsh => "ZDOTDIR",
            _ => "ENV",
        };
        let users = variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        // A key is made of digits and letters; a shell reads this.
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        Prompt { kind, mark: format!("(execenv {key}) "), users }
    }

    /// The files that the shell reads, by their names.
    fn files(&self) -> Vec<(&'static str, String)> {
        let mark = &self.mark;
        match self.kind {
            Kind::Bash => vec![(
                "bashrc",
                format!("if [ -f ~/.bashrc ]; then . ~/.bashrc; fi\nPS1=\"{mark}${{PS1-}}\"\n"),
            )],
            Kind::Zsh => vec![
                (
                    ".zshenv",
                    "execenv_zdotdir=$ZDOTDIR\nZDOTDIR=${EXECENV_ZDOTDIR:-$HOME}\n\
                     if [ -f \"$ZDOTDIR/.zshenv\" ]; then . \"$ZDOTDIR/.zshenv\"; fi\n\
                     EXECENV_ZDOTDIR=$ZDOTDIR\nZDOTDIR=$execenv_zdotdir\nunset execenv_zdotdir\n"
                        .to_owned(),
                ),
                (
                    ".zshrc",
                    format!(
                        "ZDOTDIR=$EXECENV_ZDOTDIR\nunset EXECENV_ZDOTDIR\n\
                         if [ -f \"$ZDOTDIR/.zshrc\" ]; then . \"$ZDOTDIR/.zshrc\"; fi\n\
                         if [ \"$ZDOTDIR\" = \"$HOME\" ]; then unset ZDOTDIR; fi\nPROMPT=\"{mark}$PROMPT\"\n"
                    ),
                ),
            ],
            Kind::Posix => vec![(
                "shrc",
                format!(
                    "ENV=${{EXECENV_ENV-}}\nunset EXECENV_ENV\n\
                     if [ -n \"$ENV\" ] && [ -f \"$ENV\" ]; then . \"$ENV\"; else unset ENV; fi\n\
                     PS1=\"{mark}${{PS1-$ }}\"\n"
                ),
            )],
            Kind::Fish | Kind::Other => Vec::new(),
        }
    }

    /// Writes the files below the folder for temporary files.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn write(&self, temporary: &Path) -> Result<()> {
        let files = self.files();
        if files.is_empty() {
            return Ok(());
        }
        let writing = || format!("write the start files of the shell to {}", temporary.display());
        let tree = Tree::open(temporary).with_context(writing)?;
        tree.make_dir(Path::new(FOLDER), 0o700).with_context(writing)?;
        for (name, text) in files {
            let file = Path::new(FOLDER).join(name);
            tree.replace_unsynced(&file, text.as_bytes(), 0o600, "execenv-shell.new")
                .with_context(writing)?;
        }
        Ok(())
    }

    /// The arguments that the shell needs for that.
    pub(super) fn args(&self, temporary: &Path) -> Vec<OsString> {
        match self.kind {
            Kind::Bash => vec!["--rcfile".into(), temporary.join(FOLDER).join("bashrc").into()],
            Kind::Fish => {
                let mark = &self.mark;
                // The user's prompt may show the status of the last command.
                let command = format!(
                    "functions -q fish_prompt; and functions -c fish_prompt execenv_users_prompt; \
                     function execenv_status; return $argv; end; \
                     function fish_prompt; set -l execenv_last $status; echo -n '{mark}'; \
                     if functions -q execenv_users_prompt; execenv_status $execenv_last; execenv_users_prompt; end; end"
                );
                vec!["--init-command".into(), command.into()]
            }
            Kind::Zsh | Kind::Posix | Kind::Other => Vec::new(),
        }
    }

    /// The variables that the shell needs for that.
    pub(super) fn variables(&self, temporary: &Path) -> Variables {
        let folder = temporary.join(FOLDER);
        let (name, value, kept) = match self.kind {
            Kind::Zsh => ("ZDOTDIR", folder, "EXECENV_ZDOTDIR"),
            Kind::Posix => ("ENV", folder.join("shrc"), "EXECENV_ENV"),
            Kind::Bash | Kind::Fish | Kind::Other => return Vec::new(),
        };
        let mut variables: Variables = vec![(name.into(), value.into())];
        variables.extend(self.users.clone().map(|users| (kept.into(), users)));
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_its_own_way() {
        let variables: Variables = vec![("ENV".into(), "/my/env".into()), ("ZDOTDIR".into(), "/my/z".into())];
        for (shell, files, args, names) in [
            ("/bin/bash", &["bashrc"][..], 2, &[][..]),
            ("/usr/bin/zsh", &[".zshenv", ".zshrc"], 0, &["ZDOTDIR", "EXECENV_ZDOTDIR"]),
            ("/usr/bin/fish", &[], 2, &[]),
            ("/bin/sh", &["shrc"], 0, &["ENV", "EXECENV_ENV"]),
            ("/bin/nu", &[], 0, &[]),
        ] {
            let prompt = Prompt::of(Path::new(shell), "ab$(x)12", &variables);
            assert_eq!(prompt.mark, "(execenv abx12) ");
            let written: Vec<&str> = prompt.files().iter().map(|(name, _)| *name).collect();
            assert_eq!(written, files, "{shell}");
            assert_eq!(prompt.args(Path::new("/t")).len(), args, "{shell}");
            let set: Vec<OsString> =
                prompt.variables(Path::new("/t")).into_iter().map(|(name, _)| name).collect();
            assert_eq!(set, names, "{shell}");
        }
    }
}
