//! A git server on loopback: `git http-backend` behind the scripted server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::server::{Reply, Request, Server};

/// Serves the repositories below `root`. `login` is the value of the `Authorization` header that is asked for.
pub fn serve(root: &Path, login: Option<&str>) -> Server {
    let (root, login) = (root.to_owned(), login.map(str::to_owned));
    Server::start(move |request| {
        let is_known = login.is_none() || request.header("authorization") == login.as_deref();
        if is_known { backend(&root, request) } else { refuse() }
    })
}

fn refuse() -> Reply {
    Reply::text(401, "who are you?").header("WWW-Authenticate", "Basic realm=\"git\"")
}

fn backend(root: &PathBuf, request: &Request) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", &request.method);
    command.env("CONTENT_LENGTH", request.body.len().to_string());
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "HTTP_GIT_PROTOCOL"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&request.body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(output[..end].to_vec()).unwrap();
    let mut status = 200;
    let mut headers = Vec::new();
    for line in head.lines() {
        match line.split_once(": ").unwrap() {
            ("Status", code) => status = code.split(' ').next().unwrap().parse().unwrap(),
            (name, value) => headers.push((name.to_owned(), value.to_owned())),
        }
    }
    let reply = Reply::text(status, &output[end + 4..]);
    headers.into_iter().fold(reply, |reply, (name, value)| reply.header(&name, value))
}
