//! The scripts in `examples/` do what they say, with the built binary.

use std::path::Path;

use crate::support::TestEnv;

/// What `two-tasks.sh` prints, without the keys of environments.
const TWO_TASKS: &str = "
# each task gets a worktree on a branch of its own; a third one brings them together
agent/ada/KEY
agent/grace/KEY
agent/lead/KEY

# both agents work at the same time
 ada.txt  | 1 +
 greeting | 2 +-
 2 files changed, 2 insertions(+), 1 deletion(-)
 grace.txt | 1 +
 greeting  | 2 +-
 2 files changed, 2 insertions(+), 1 deletion(-)

# both are saved; then the folder of one is lost, and restored
Say hello, politely.
ada was here

# each is published as a branch: what is not committed yet is committed
Greet politely
Say good bye

# the lead merges both; they changed the same line
both_modified\tgreeting
resolved 1 conflict, 0 left
every branch is merged

# the result is published as a merge: main has it, and a clean checkout of main follows
Say hello, politely, and good bye.

# and as a pull request; a second call finds the open one
https://forge.example/ada/app/pull/1
https://forge.example/ada/app/pull/1

# the folders go; the commits stay
* main
Greet politely, and say good bye
";

#[test]
fn two_tasks_go_from_prepare_to_a_pull_request() {
    let t = TestEnv::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/two-tasks.sh");
    // A gh that is logged in is not asked without an address.
    let done = t.sh(&format!("exec sh '{}'", script.display())).var("TMPDIR", &t.tmp).run().status(0);
    let lines: Vec<String> = done.stdout.lines().map(without_key).collect();
    assert_eq!(lines.join("\n"), TWO_TASKS.trim_end(), "{done}");
    let left = std::fs::read_dir(&t.tmp).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("tmp.")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A line with the word for a key in the place of one.
fn without_key(line: &str) -> String {
    let Some((before, last)) = line.rsplit_once('/') else { return line.to_owned() };
    let is_key = last.len() == 12 && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_key { format!("{before}/KEY") } else { line.to_owned() }
}
