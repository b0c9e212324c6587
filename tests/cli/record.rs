//! The record (`.gc_meta.json`) under many writers at once: threads, processes, and a run that holds the environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use execenv::internals::{Durability, Meta, Tree};

use crate::support::TestEnv;

/// Names the environment to a process of this test that only writes.
const WRITER: &str = "EXECENV_TEST_RECORD_WRITER";
const PROCESSES: usize = 8;
const THREADS: usize = 42;
const TIMES: usize = 5;

fn write(env: &Path, writer: &str) {
    let tree = Tree::open(env).unwrap();
    for time in 0..TIMES {
        let durability = if time == 0 { Durability::Synced } else { Durability::Unsynced };
        Meta::change_own(&tree, durability, |_, own| {
            own.other.insert(format!("{writer}-{time}"), time.into());
        })
        .unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test starts itself as a child process, with a variable")]
#[test]
fn fifty_writers_and_a_run_lose_nothing() {
    if let Some(env) = std::env::var_os(WRITER) {
        return write(&PathBuf::from(env), &format!("process-{}", std::process::id()));
    }
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", "one"]);
    let script = ": > started; while [ ! -e stop ]; do sleep 0.02; done";
    let mut run = t.execenv(["run", env.to_str().unwrap(), "-q", "--", "sh", "-c", script]).start();
    let begun = Instant::now();
    while !env.join("workdir/started").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the agent does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let processes: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "record::fifty_writers_and_a_run_lose_nothing"]).env(WRITER, &env);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let env = &env;
            scope.spawn(move || write(env, &format!("thread-{thread}")));
        }
        std::thread::sleep(Duration::from_millis(50));
        t.write(env.join("workdir/stop"), ""); // the run writes its end in the midst of the others
    });
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert!(run.wait().unwrap().success());
    let meta = Meta::load(&Tree::open(&env).unwrap()).unwrap().unwrap();
    let own = meta.own.unwrap();
    let written = own.other.keys().filter(|key| key.starts_with("process-") || key.starts_with("thread-"));
    assert_eq!(written.count(), (PROCESSES + THREADS) * TIMES);
    assert_eq!(own.status.word(), "completed");
    assert!(own.last_result.is_some() && own.run.is_some() && meta.completed_at.is_some());
}
