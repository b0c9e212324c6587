//! A real terminal, as the kernel makes it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal of this width: the side of whoever sits at it, which no child inherits, and that of the programs.
pub fn open(columns: u16) -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (ours.into(), theirs)
}

/// A stream of a program that goes to this side.
pub fn copy(side: &File) -> Stdio {
    OwnedFd::from(side.try_clone().unwrap()).into()
}

/// What a command prints on a terminal of this width; `seen` gets all of it whenever there is more.
pub fn on_terminal(command: Command, columns: u16, seen: &mut dyn FnMut(&str)) -> String {
    on_terminal_as(command, columns, &mut |printed, _| seen(printed))
}

/// The same; `seen` gets the command's process, too.
pub fn on_terminal_as(mut command: Command, columns: u16, seen: &mut dyn FnMut(&str, Pid)) -> String {
    let (mut ours, theirs) = open(columns);
    let mut child = command.stdout(copy(&theirs)).stderr(copy(&theirs)).spawn().unwrap();
    drop((theirs, command));
    let pid = Pid::from_child(&child);
    let (mut printed, mut block) = (Vec::new(), [0; 4096]);
    // An error once the last of them has closed it.
    while let Ok(length @ 1..) = ours.read(&mut block) {
        printed.extend_from_slice(&block[..length]);
        seen(&String::from_utf8_lossy(&printed), pid);
    }
    child.wait().unwrap();
    String::from_utf8(printed).unwrap()
}

/// Runs a command whose three streams are a terminal, and types `answer` when `question` is on it. Returns its exit status and what
/// was to be seen.
pub fn answering(mut command: Command, question: &str, answer: &str) -> (Option<i32>, String) {
    let (mut ours, theirs) = open(200);
    let mut child = command.stdin(copy(&theirs)).stdout(copy(&theirs)).stderr(copy(&theirs)).spawn().unwrap();
    drop((theirs, command));
    let (mut printed, mut block, mut asked) = (Vec::new(), [0; 4096], false);
    while let Ok(length @ 1..) = ours.read(&mut block) {
        printed.extend_from_slice(&block[..length]);
        if !asked && String::from_utf8_lossy(&printed).contains(question) {
            asked = true;
            ours.write_all(answer.as_bytes()).unwrap();
        }
    }
    (child.wait().unwrap().code(), String::from_utf8(printed).unwrap())
}

/// The lines that stay on the terminal: what is replaced is gone.
pub fn what_stays(printed: &str) -> Vec<String> {
    let lines = printed.split("\r\n").map(|line| {
        let last = line.rsplit_once('\r').map_or(line, |(_, last)| last);
        let mut text = String::new();
        let mut rest = last;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            text.push_str(before);
            rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
        }
        text + rest
    });
    lines.filter(|line| !line.is_empty()).collect()
}
