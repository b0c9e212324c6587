//! Trees to work on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Bench;
use crate::measure::{Trouble, execenv, output, program, time};

/// Five skills of four files each.
pub(crate) fn skills(bench: &Bench) -> Result<PathBuf, Trouble> {
    let folder = bench.dir.join("skills");
    for skill in 1..=5 {
        let place = folder.join(format!("skill-{skill}/references"));
        fs::create_dir_all(&place)?;
        let head = format!("---\nname: skill-{skill}\ndescription: Knows topic {skill}.\n---\n");
        let text = "Read this first, then do as it says; one of sixty lines of a page.\n".repeat(60);
        fs::write(place.join("../SKILL.md"), head + &text)?;
        for page in ["one.md", "two.md", "three.md"] {
            fs::write(place.join(page), &text)?;
        }
    }
    Ok(folder)
}

/// The `.codex` of somebody who works with it every day, in the bench's home: 20 skills of 10 files, a configuration of
/// 60 KB with projects, profiles and servers, a login, 200 rollouts.
pub(crate) fn codex_home(bench: &Bench) -> Result<PathBuf, Trouble> {
    let home = bench.dir.join(".codex");
    for skill in 1..=20 {
        let place = home.join(format!("skills/skill-{skill}"));
        fs::create_dir_all(&place)?;
        fs::write(
            place.join("SKILL.md"),
            format!("---\nname: skill-{skill}\ndescription: d\n---\nRead the pages.\n"),
        )?;
        for page in 1..=9 {
            fs::write(place.join(format!("page-{page}.md")), "one of sixty lines of a page.\n".repeat(60))?;
        }
    }
    let sessions = home.join("sessions/2026/11/21");
    fs::create_dir_all(&sessions)?;
    for number in 0..200 {
        let id = format!("rollout-2026-11-21T00-00-00-01a1fc08-9974-7000-8000-{number:012}.jsonl");
        fs::write(sessions.join(id), "{\"type\":\"message\",\"text\":\"a line\"}\n".repeat(400))?;
    }
    fs::write(home.join("auth.json"), "{\"tokens\":{}}\n")?;
    let mut config =
        "model = \"gpt-5\"\napproval_policy = \"never\"\n[features]\nweb_search = true\n".to_owned();
    for number in 0.. {
        config += &format!(
            "\n# A project of mine.\n[projects.\"/home/ada/src/project-{number}\"]\ntrust_level = \"trusted\"\n\
             \n[mcp_servers.server-{number}]\ncommand = \"npx\"\nargs = [\"-y\", \"package-{number}\"]\n\
             env = {{ KEY = \"value-{number}\" }}\n"
        );
        if number % 10 == 0 {
            config +=
                &format!("\n[profiles.profile-{number}]\nmodel = \"m\"\nsandbox_mode = \"read-only\"\n");
        }
        if config.len() >= 60_000 {
            break;
        }
    }
    fs::write(home.join("config.toml"), config)?;
    Ok(home)
}

/// Prepares an environment by execenv itself, untimed, and returns its root.
pub(crate) fn prepared(bench: &Bench, arguments: &[&str]) -> Result<PathBuf, Trouble> {
    Ok(output(execenv(&bench.dir).arg("prepare").args(arguments))?.into())
}

/// Whether `gc` is to take an environment.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Age {
    Young,
    /// Past the artifact age and younger than every other limit.
    Past,
    Due,
}

/// A workspaces root of so many environments, each with `files` files of 1 KiB in its work dir, ten a folder.
pub(crate) fn workspaces(
    root: &Path,
    count: usize,
    files: usize,
    age: fn(usize) -> Age,
) -> Result<(), Trouble> {
    let workspace = root.join("default");
    fs::create_dir_all(&workspace)?;
    fs::write(root.join(".execenv-root"), "{\"managed_by\":\"execenv\"}\n")?;
    let date = |ago: &str| output(program("date", root).args(["-u", "-d", ago, "+%Y-%m-%dT%H:%M:%SZ"]));
    let (young, past) = (date("now")?, date("18 hours ago")?);
    let make = |numbers: &mut dyn Iterator<Item = usize>| -> std::io::Result<()> {
        for number in numbers {
            let at = match age(number) {
                Age::Young => young.as_str(),
                Age::Past => past.as_str(),
                Age::Due => "2020-01-02T03:04:05Z",
            };
            environment(&workspace.join(format!("{:012x}", number * 7919)), files, at)?;
        }
        Ok(())
    };
    // On two cores, for there may be a million files to make.
    std::thread::scope(|scope| {
        let other = scope.spawn(|| make(&mut (0..count).step_by(2)));
        make(&mut (1..count).step_by(2))?;
        other.join().map_err(|_| "a fixture could not be made")??;
        Ok(())
    })
}

fn environment(root: &Path, files: usize, at: &str) -> std::io::Result<()> {
    let work_dir = root.join("workdir");
    fs::create_dir_all(&work_dir)?;
    for folder in 0..files.div_ceil(10) {
        let folder = work_dir.join(format!("folder-{folder}"));
        fs::create_dir(&folder)?;
        for file in 0..10 {
            fs::write(folder.join(format!("file-{file}.rs")), [b'x'; 1024])?;
        }
    }
    fs::write(root.join(".task_lock"), "")?;
    let meta = format!(
        "{{\"kind\":\"\",\"workspace_id\":\"default\",\"completed_at\":\"{at}\",\"execenv\":{{\"schema\":1,\
         \"task_id\":\"{key}\",\"provider\":\"claude\",\"work_dir\":\"{work_dir}\",\"status\":\"completed\",\
         \"prepared_at\":\"{at}\",\"session\":{{\"id\":\"s-1\",\"provider\":\"claude\",\"work_dir\":\"{work_dir}\",\
         \"updated_at\":\"{at}\"}},\"run\":{{\"id\":\"r-1\",\"seq\":1,\"pid\":4711,\"started_at\":\"{at}\"}},\
         \"last_result\":{{\"status\":\"completed\",\"exit_code\":0,\"failure_reason\":null,\
         \"file\":\"output/result.json\",\"ended_at\":\"{at}\"}}}}}}",
        key = root.file_name().unwrap_or_default().to_string_lossy(),
        work_dir = work_dir.display(),
    );
    fs::write(root.join(".gc_meta.json"), meta)
}

/// A folder of a user's with so many files, a hundred a folder.
pub(crate) fn user_folder(path: &Path, files: usize) -> Result<(), Trouble> {
    fs::create_dir_all(path)?;
    for folder in 0..files / 100 {
        let folder = path.join(format!("folder-{folder}"));
        fs::create_dir(&folder)?;
        for file in 0..100 {
            fs::write(folder.join(format!("file-{file}")), "mine\n")?;
        }
    }
    Ok(())
}

/// Makes room, untimed: by the tool of the system, so that it is nobody's measurement.
pub(crate) fn remove(path: &Path) -> Result<(), Trouble> {
    time(program("rm", Path::new("/")).arg("-rf").arg(path)).map(drop)
}
