//! `clone`: a clone is there whole or not at all, and what a killed one leaves goes with the next one, or with `doctor --fix`.

use libtest_mimic::Trial;

use crate::support::repository::{git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};
use crate::sweep::{Fault, Start, sweep, with_and_without_doctor};

pub fn trials() -> Vec<Trial> {
    with_and_without_doctor(&["clone"], |name| name, disturb)
}

fn disturb(name: &str, _: &&str, fault: Fault, doctor: bool) {
    let t = TestEnv::new();
    make_repository(&t, &t.tmp.join("source"), &[]);
    let work_dir = t.prepare(["--task-id", TASK, "--repo", "source"]).join("workdir");
    t.write(work_dir.join("new"), "new\n");
    std::fs::create_dir(t.tmp.join("to")).unwrap();
    let env = snapshot(work_dir.parent().unwrap());
    let start = Start::new(&t);
    let clone = || t.execenv(["clone", KEY, "to/copy"]);
    let copy = t.tmp.join("to/copy");
    let notes = || {
        let locks = std::fs::read_dir(t.root.join(".locks")).unwrap().map(|entry| entry.unwrap().file_name());
        locks.filter(|name| name.as_encoded_bytes().starts_with(b"clone-")).count()
    };
    sweep(name, fault, &start, clone, |done, when| {
        if fault != Fault::Kill {
            done.assert_sane(&[0, 1]);
            // A note that could not be removed stays where the folder is gone, and means nothing.
            t.assert_nothing_half_made_but(".execenv.excludes", when);
        }
        if doctor {
            t.execenv(["doctor", "--fix"]).run().status(0);
            assert_eq!(notes(), 0, "{when}");
        } else if !copy.exists() {
            clone().run().status(0);
        }
        t.assert_nothing_half_made_but(".execenv.excludes", when);
        if copy.exists() {
            assert_eq!(git_out(&t, &copy, &["status", "--porcelain"]), "?? new", "{when}");
        }
        assert_same(&env, &snapshot(work_dir.parent().unwrap()), when);
    });
}
