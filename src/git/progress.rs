//! How far git says that it is, on its standard error.

use std::ffi::OsString;

use crate::progress::Progress;

/// The option with which a call says how far it is although its standard error is no terminal. `None`: it never does.
pub(super) fn telling(args: &[OsString]) -> Option<&'static str> {
    match args.first()?.to_str()? {
        "clone" | "fetch" | "push" => Some("--progress"),
        // Only one that writes files takes long.
        "read-tree" if args.iter().any(|arg| arg == "-u") => Some("-v"),
        _ => None,
    }
}

/// Passes on what a piece of git's standard error says last.
pub(super) fn follow(said: &[u8], progress: &Progress) {
    let step = said.split(|byte| matches!(byte, b'\r' | b'\n')).rev().find_map(step);
    step.into_iter().for_each(|step| progress.step(step));
}

/// What git said besides: a failure shows that.
pub(super) fn without_progress(said: &[u8]) -> Vec<u8> {
    let lines = said.split_inclusive(|byte| matches!(byte, b'\r' | b'\n'));
    lines.filter(|line| step(line.trim_ascii_end()).is_none()).flatten().copied().collect()
}

/// `remote: Counting objects: 43% (430/1000), 1.20 MiB | 3 MiB/s` is `counting objects 43 %`. Any other line is none.
fn step(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (phase, count) = line.strip_prefix("remote: ").unwrap_or(line).split_once(": ")?;
    let is_phase = phase.starts_with(|c: char| c.is_ascii_uppercase())
        && phase.len() < 40
        && phase.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b' ');
    let count = count.trim_start();
    let digits = count.find(|c: char| !c.is_ascii_digit()).unwrap_or(count.len());
    let (number, rest) = count.split_at(digits);
    let is_count = !number.is_empty() && number.len() < 12;
    let unit = match rest {
        _ if rest.starts_with("% (") => " %",
        "" | ", done." => "",
        _ => return None,
    };
    (is_phase && is_count).then(|| format!("{} {number}{unit}", phase.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_of_its_progress_is_read_and_taken_out() {
        for (line, expected) in [
            ("Receiving objects:  43% (430/1000), 1.20 MiB | 3.00 MiB/s", Some("receiving objects 43 %")),
            ("Resolving deltas: 100% (5/5), done.", Some("resolving deltas 100 %")),
            ("remote: Enumerating objects: 1234", Some("enumerating objects 1234")),
            ("remote: Counting objects: 5, done.        ", Some("counting objects 5")),
            ("Updating files:   7% (70/1000)", Some("updating files 7 %")),
            ("fatal: repository not found", None),
            ("error: 5", None),
            ("Total 5 (delta 0), reused 0 (delta 0)", None),
            ("From: 5 apples", None),
            ("\u{1b}[31mX: 5% (1/2)", None),
            ("", None),
        ] {
            assert_eq!(step(line.as_bytes()).as_deref(), expected, "{line}");
        }
        let said =
            b"remote: Counting objects:  50% (1/2)\rremote: Counting objects: 100% (2/2), done.\nfatal: no\n";
        assert_eq!(without_progress(said), b"fatal: no\n");
        let progress = Progress::default();
        follow(b"Receiving objects:   1% (1/100)\rReceiving objects:   2% (2/100)\rRece", &progress);
        assert_eq!(progress.seen().step, "receiving objects 2 %");
    }
}
