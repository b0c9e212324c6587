//! Each on a folder of its own, real files in it.
#![expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{Mode, OFlags, mkdirat, openat};

use super::*;

/// Measures an environment.
fn weigh(env: &Tree, patterns: &Patterns) -> (Size, Artifacts) {
    weigh_folders(env, patterns, &mut |_, _, _| {})
}

use crate::failure::{Code, Failure};

/// An env root and a folder beside it.
struct Fixture {
    tmp: tempfile::TempDir,
}

impl Fixture {
    fn new(files: &[(&str, usize)]) -> Fixture {
        // In memory where there is such a place: a disk takes seconds for ten thousand folders.
        let tmp = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let fixture = Fixture { tmp };
        fs::create_dir(fixture.env_path()).unwrap();
        for (path, len) in files {
            fixture.write(path, *len);
        }
        fixture
    }

    fn env_path(&self) -> PathBuf {
        self.tmp.path().join("a-task")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.env_path().join(path)
    }

    fn write(&self, path: &str, len: usize) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![b'x'; len]).unwrap();
    }

    fn env(&self) -> Tree {
        Tree::open(&self.env_path()).unwrap()
    }

    /// Looks and removes, and holds the two against each other.
    fn remove(&self, patterns: &str, managed: bool) -> Artifacts {
        let patterns = Patterns::parse(patterns).unwrap();
        let looked = find(&self.env(), &patterns, managed, &Git::new(None, &[]));
        let again = find(&self.env(), &patterns, managed, &Git::new(None, &[]));
        assert_eq!(looked, again, "looking changed something");
        let removed = remove_from(&self.env(), &patterns, managed, &Git::new(None, &[]));
        assert_eq!(looked, removed);
        let left = find(&self.env(), &patterns, managed, &Git::new(None, &[]));
        assert_eq!((left.count, left.bytes), (0, 0), "something is left for a second cycle");
        removed
    }
}

fn tally(found: &Artifacts) -> Vec<(&str, u64, u64)> {
    found.by_pattern.iter().map(|(key, tally)| (key.as_str(), tally.count, tally.bytes)).collect()
}

const NONE: &str = "/";

#[test]
fn a_list_of_patterns_is_read_as_upstream_reads_it() {
    for (text, expected) in [
        ("", vec![".next", ".turbo", "node_modules"]),
        (" \t", vec![".next", ".turbo", "node_modules"]),
        (" target ,, node_modules,target", vec!["node_modules", "target"]),
        ("workdir/node_modules,../etc,a\\b", vec![]),
        (",", vec![]),
        ("Node_Modules,*", vec!["*", "Node_Modules"]),
    ] {
        assert_eq!(Patterns::parse(text).unwrap().names().collect::<Vec<_>>(), expected, "{text:?}");
    }
    for text in ["workdir", "target, output", "logs", ".git", "codex-home", ".gc_meta.json", "launch"] {
        let error = Patterns::parse(text).unwrap_err();
        assert_eq!(Failure::code_of(&error), Code::BadConfig, "{text}");
    }
}

#[test]
fn the_three_by_default_go_and_nothing_else() {
    let t = Fixture::new(&[
        ("workdir/src/main.js", 10),
        ("workdir/.git/objects/aa", 10),
        ("workdir/.git/node_modules/x", 10),
        ("workdir/node_modules/a/index.js", 100),
        ("workdir/node_modules/a/node_modules/b", 23),
        ("workdir/.next/cache", 7),
        ("workdir/app/.turbo/log", 3),
        ("workdir/dist/out", 10),
        ("output/result", 10),
        (".gc_meta.json", 10),
        ("workdir/lib/node_modules.txt", 1),
        ("workdir/lib/NODE_MODULES/x", 1),
    ]);
    let found = t.remove("", true);
    assert_eq!((found.count, found.bytes), (3, 133), "a nested one counts with the outer one");
    assert_eq!(tally(&found), [(".next", 1, 7), (".turbo", 1, 3), ("node_modules", 1, 123)]);
    assert!(found.kept.is_empty() && found.failed.is_empty());
    for gone in ["workdir/node_modules", "workdir/.next", "workdir/app/.turbo"] {
        assert!(!t.at(gone).exists(), "{gone}");
    }
    for stays in [
        "workdir/src/main.js",
        "workdir/.git/objects/aa",
        "workdir/.git/node_modules/x",
        "workdir/dist/out",
        "output/result",
        ".gc_meta.json",
        "workdir/lib/node_modules.txt",
        "workdir/lib/NODE_MODULES/x",
    ] {
        assert!(t.at(stays).exists(), "{stays}");
    }
}

#[test]
fn the_env_root_is_no_candidate_and_patterns_with_separators_match_nothing() {
    let t = Fixture::new(&[("workdir/node_modules/x", 5)]);
    assert_eq!(t.remove("a-task", true), Artifacts::default());
    assert_eq!(t.remove("workdir/node_modules,../etc", true), Artifacts::default());
    assert!(t.at("workdir/node_modules/x").exists());
}

#[test]
fn links_files_and_what_is_neither_are_never_taken() {
    let t = Fixture::new(&[("workdir/a/node_modules", 5), ("workdir/b/x", 5)]);
    let outside = t.tmp.path().join("outside");
    fs::create_dir_all(outside.join("node_modules")).unwrap();
    fs::write(outside.join("node_modules/keep"), "mine").unwrap();
    symlink(outside.join("node_modules"), t.at("workdir/node_modules")).unwrap();
    symlink(&outside, t.at("workdir/elsewhere")).unwrap();
    assert!(
        std::process::Command::new("mkfifo").arg(t.at("workdir/b/node_modules")).status().unwrap().success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(t.at("workdir/b/.next")).unwrap();
    assert_eq!(t.remove("", true), Artifacts::default());
    assert_eq!(fs::read(outside.join("node_modules/keep")).unwrap(), b"mine");
    assert!(t.at("workdir/node_modules").is_symlink() && t.at("workdir/a/node_modules").is_file());
    // A link inside an artifact is removed, its target is not.
    fs::create_dir(t.at("workdir/.turbo")).unwrap();
    symlink(&outside, t.at("workdir/.turbo/link")).unwrap();
    assert_eq!(t.remove("", true).count, 1);
    assert_eq!(fs::read(outside.join("node_modules/keep")).unwrap(), b"mine");
}

#[test]
fn what_holds_a_repository_is_kept_whole() {
    for repository in [
        "node_modules/dep/.git/config",
        "node_modules/.git",
        "node_modules/a/b/c/.git",
        "node_modules/bare/HEAD",
    ] {
        let t = Fixture::new(&[("workdir/node_modules/other/node_modules/x", 5), ("workdir/.next/x", 7)]);
        t.write(&format!("workdir/{repository}"), 3);
        for part in ["objects", "refs"].iter().filter(|_| repository.ends_with("HEAD")) {
            fs::create_dir(t.at("workdir/node_modules/bare").join(part)).unwrap();
        }
        let found = t.remove("", true);
        assert_eq!(tally(&found), [(".next", 1, 7)], "{repository}");
        assert_eq!(found.kept, [(t.at("workdir/node_modules"), HOLDS_REPOSITORY.to_owned())]);
        assert!(t.at("workdir").join(repository).exists());
        assert!(t.at("workdir/node_modules/other/node_modules/x").exists());
        // What would stay is not said to be reclaimable, and counts in full.
        let (size, weighed) = weigh(&t.env(), &Patterns::parse("").unwrap());
        assert_eq!((size.bytes, weighed.bytes), (8, 0), "{repository}");
    }
}

#[test]
fn parts_of_a_repository_in_different_folders_are_none() {
    let t = Fixture::new(&[
        ("node_modules/a/HEAD", 1),
        ("node_modules/b/objects/x", 1),
        ("node_modules/b/refs/x", 1),
        ("node_modules/c/gitignore", 1),
    ]);
    assert_eq!(t.remove("", false).count, 1);
}

#[test]
fn the_managed_cache_is_taken_at_its_place_only() {
    let files = [
        ("codex-home/.sandbox-bin/helper", 50),
        ("codex-home/auth.json", 5),
        ("workdir/.sandbox-bin/own", 9),
        ("workdir/codex-home/.sandbox-bin/own", 9),
    ];
    // Alone, or on the way of a walk: the same.
    for (patterns, expected) in [
        (NONE, vec![("managed:codex-home/.sandbox-bin", 1, 50)]),
        ("node_modules", vec![("managed:codex-home/.sandbox-bin", 1, 50)]),
        (".sandbox-bin", vec![(".sandbox-bin", 2, 18), ("managed:codex-home/.sandbox-bin", 1, 50)]),
    ] {
        let t = Fixture::new(&files);
        assert!(has_managed(&t.env()));
        let found = t.remove(patterns, true);
        assert_eq!(tally(&found), expected, "{patterns}");
        assert!(!has_managed(&t.env()) && t.at("codex-home/auth.json").exists());
        assert_eq!(t.at("workdir/.sandbox-bin/own").exists(), patterns != ".sandbox-bin");
        // Codex makes it again: it is taken again.
        t.write("codex-home/.sandbox-bin/helper", 1);
        assert_eq!(t.remove(patterns, true).count, 1);
    }
    let t = Fixture::new(&files);
    assert_eq!(t.remove(NONE, false), Artifacts::default());
    assert_eq!(tally(&t.remove(".sandbox-bin", false)), [(".sandbox-bin", 3, 68)]);
}

#[test]
fn a_link_on_the_way_to_the_managed_cache_protects_it() {
    let leaf = Fixture::new(&[("codex-home/auth.json", 5), ("elsewhere/x", 5)]);
    symlink("../elsewhere", leaf.at("codex-home/.sandbox-bin")).unwrap();
    let parent = Fixture::new(&[("elsewhere/.sandbox-bin/x", 5)]);
    symlink("elsewhere", parent.at("codex-home")).unwrap();
    let file = Fixture::new(&[("codex-home/.sandbox-bin", 5)]);
    for t in [leaf, parent, file] {
        assert!(!has_managed(&t.env()));
        assert_eq!(t.remove(NONE, true), Artifacts::default());
        assert_eq!(t.remove("node_modules", true), Artifacts::default());
    }
}

/// A chain of folders, deeper than any path may be long; the innermost holds what `last` puts there.
fn chain(top: &Path, levels: usize, last: impl FnOnce(&OwnedFd)) {
    let open = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut deep: OwnedFd = File::open(top).unwrap().into();
    for _ in 0..levels {
        mkdirat(&deep, "d", Mode::RWXU).unwrap();
        deep = openat(&deep, "d", open, Mode::empty()).unwrap();
    }
    last(&deep);
}

#[test]
fn ten_thousand_levels_above_and_in_an_artifact() {
    let file = |folder: &OwnedFd| {
        let file = openat(folder, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
        rustix::io::write(file, b"12345").unwrap();
    };
    let t = Fixture::new(&[("node_modules/x", 1)]);
    chain(&t.at("node_modules"), 10_000, file);
    fs::create_dir(t.at("workdir")).unwrap();
    chain(&t.at("workdir"), 10_000, |deep| {
        for name in [".next", "stays"] {
            mkdirat(deep, name, Mode::RWXU).unwrap();
            file(&openat(deep, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap());
        }
    });
    let (size, weighed) = weigh(&t.env(), &Patterns::parse("").unwrap());
    assert_eq!((size.bytes, size.unreadable, weighed.bytes), (16, 0, 11));
    let found = t.remove("", true);
    assert_eq!(tally(&found), [(".next", 1, 5), ("node_modules", 1, 6)]);
    let size = t.env().measure().unwrap();
    assert_eq!((size.bytes, size.unreadable), (5, 0));
    remove_tree(File::open(t.tmp.path()).unwrap().as_fd(), OsStr::new("a-task")).unwrap();
}

#[test]
fn names_that_are_no_text_and_folders_that_are_locked() {
    let t = Fixture::new(&[("workdir/node_modules/ro/x", 5), ("workdir/node_modules/y", 5)]);
    let odd = t.at("workdir").join(OsStr::from_bytes(b"\xff\xfe"));
    fs::create_dir_all(odd.join("node_modules")).unwrap();
    fs::write(odd.join("node_modules").join(OsStr::from_bytes(b"\xfe")), "123").unwrap();
    // Module caches are read-only.
    fs::set_permissions(t.at("workdir/node_modules/ro"), fs::Permissions::from_mode(0o555)).unwrap();
    assert_eq!(tally(&t.remove("", true)), [("node_modules", 2, 13)]);
    assert!(odd.is_dir());
}

#[test]
fn a_removal_that_was_cut_short_is_ended_by_the_next() {
    let t = Fixture::new(&[("workdir/node_modules/.execenv-deep-1/x", 2), ("workdir/node_modules/left", 1)]);
    assert_eq!(tally(&t.remove("", true)), [("node_modules", 1, 3)]);
}

/// Between the last look and the removal stands one system call: what came into the place before it stays.
#[test]
fn an_entry_that_replaced_an_artifact_meanwhile_stays() {
    let t = Fixture::new(&[("node_modules/x", 1), ("other/mine", 1)]);
    let patterns = Patterns::parse("").unwrap();
    let env = File::open(t.env_path()).unwrap();
    let artifact = File::open(t.at("node_modules")).unwrap();
    let path = Path::new("node_modules");
    let place = Place { parent: env.as_fd(), name: path.as_os_str(), path };
    let root = t.env_path();
    let mut survey = Survey::new(&root, &patterns);
    survey.removes = true;
    assert!(survey.enter(place, artifact.as_fd()));
    fs::rename(t.at("node_modules"), t.at("moved")).unwrap();
    fs::rename(t.at("other"), t.at("node_modules")).unwrap();
    survey.leave(place);
    assert_eq!((survey.found.count, survey.found.kept.len()), (0, 1));
    assert!(t.at("node_modules/mine").exists() && t.at("moved/x").exists());
}

/// Another process puts links in the places of folders, and folders back, all the while.
#[test]
fn folders_that_turn_into_links_lead_nowhere() {
    let t = Fixture::new(&[]);
    let outside = t.tmp.path().join("outside");
    for path in ["node_modules/keep", "a/node_modules/keep", "b/keep"] {
        let path = outside.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "mine").unwrap();
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let swap = |place: PathBuf| {
        let aside = place.with_extension("aside");
        let mut turns = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = fs::create_dir_all(place.join("node_modules/x"));
            let _ = fs::rename(&place, &aside);
            let _ = symlink(&outside, &place);
            std::thread::yield_now();
            let _ = fs::remove_file(&place);
            let _ = fs::rename(&aside, &place);
            turns += 1;
        }
        turns
    };
    let patterns = Patterns::parse("node_modules,a").unwrap();
    let env = t.env();
    let removed = std::thread::scope(|scope| {
        let swappers: Vec<_> = ["workdir", "node_modules", "a"]
            .map(|name| scope.spawn(|| swap(t.at(name))))
            .into_iter()
            .collect();
        let mut removed = 0;
        let end = std::time::Instant::now() + std::time::Duration::from_millis(700);
        while std::time::Instant::now() < end {
            removed += remove_from(&env, &patterns, true, &Git::new(None, &[])).count;
            weigh(&env, &patterns);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(swappers.into_iter().all(|swapper| swapper.join().unwrap() > 10), "nothing was swapped");
        removed
    });
    assert!(removed > 0, "nothing was removed");
    for path in ["node_modules/keep", "a/node_modules/keep", "b/keep"] {
        assert_eq!(fs::read(outside.join(path)).unwrap(), b"mine", "{path}");
    }
}

/// What cannot be looked into may hold anything. (The super-user can look into everything.)
#[test]
fn an_artifact_that_cannot_be_read_is_kept() {
    let patterns = Patterns::parse("").unwrap();
    let t = Fixture::new(&[]);
    let mut survey = Survey::new(Path::new("/env"), &patterns);
    survey.closed(Path::new("workdir"), Errno::ACCESS);
    survey.closed(Path::new("workdir/node_modules"), Errno::XDEV);
    survey.closed(Path::new("workdir/.next"), Errno::ACCESS);
    survey.closed(Path::new("workdir/.turbo"), Errno::LOOP);
    let env = File::open(t.env_path()).unwrap();
    let path = Path::new("node_modules");
    let place = Place { parent: env.as_fd(), name: path.as_os_str(), path };
    assert!(survey.enter(place, env.as_fd()));
    survey.unreadable();
    survey.leave(place);
    let kept: Vec<_> = survey.found.kept.iter().map(|(path, _)| path.to_str().unwrap()).collect();
    assert_eq!(kept, ["/env/workdir/node_modules", "/env/workdir/.next", "/env/node_modules"]);
    assert_eq!((survey.found.count, survey.size.unreadable), (0, 4));
}
