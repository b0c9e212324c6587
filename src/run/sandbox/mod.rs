//! The sandbox of an agent (`--sandbox`): what it may read and write, and what shuts it in.
//!
//! | module | answers for |
//! |---|---|
//! | `secrets` | the table of what no sandbox shows |
//! | `scene` | what there is on this machine, for this environment |
//! | `plan` | what the agent may read and write (pure) |
//! | `bwrap`, `landlock` | a plan as what each of the two takes |
//!
//! What was asked for and cannot be built is a failure: nothing runs then.

mod bwrap;
mod landlock;
mod plan;
mod scene;
mod secrets;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::options::Variables;
use super::sandbox_request::{SandboxKind, SandboxRequest};
use super::variables::value;
use crate::failure::{Code, Failure};
use crate::supervise::find_program;
use crate::supervise::sandbox::Jail;
use crate::sys::confine::landlock_version;

use scene::real;
pub(super) use scene::{Asked, Places};

/// The program of one kind.
const BWRAP: &str = "bwrap";
/// The version of Landlock that keeps an agent from signalling processes outside, and from sockets without a path.
pub const LEAST_LANDLOCK: i32 = 6;

/// What a sandbox is made with, on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Bubblewrap's executable.
    Bwrap(PathBuf),
    /// Landlock, of a version that does.
    Landlock,
}

impl Means {
    /// Finds what a sandbox needs. `None`: none was asked for.
    ///
    /// # Errors
    /// A [`Code::NoSandbox`] failure that says what is missing.
    pub(super) fn find(request: &SandboxRequest, inherited: &Variables) -> Result<Option<Means>, Failure> {
        let refused = |why: String, hint: &str| Err(Failure::new(Code::NoSandbox, why).hint(hint));
        match request.kind {
            SandboxKind::None if !request.has_network => refused(
                "`--sandbox-net off` needs a sandbox, and none was asked for".to_owned(),
                "add `--sandbox bwrap` or `--sandbox landlock`",
            ),
            SandboxKind::None => Ok(None),
            _ if !cfg!(target_os = "linux") => {
                let why = format!("`--sandbox {}` needs Linux", request.kind.word());
                refused(why, "run execenv in a Linux container or virtual machine, or use `--sandbox none`")
            }
            SandboxKind::Bwrap => {
                let path = value(inherited, "PATH").unwrap_or_default();
                match find_program(None, None, BWRAP, path) {
                    Ok(program) => Ok(Some(Means::Bwrap(program))),
                    Err(failure) => refused(
                        format!("`--sandbox bwrap` needs bubblewrap: {}", failure.message),
                        "install it (`apt install bubblewrap`, `dnf install bubblewrap`), or use `--sandbox landlock`",
                    ),
                }
            }
            SandboxKind::Landlock => match landlock_version() {
                version if version >= LEAST_LANDLOCK => Ok(Some(Means::Landlock)),
                0 => refused(
                    "`--sandbox landlock`: this system has no Landlock, or it is switched off".to_owned(),
                    "use `--sandbox bwrap`, or a kernel from 6.12 on with `landlock` in its `lsm=` list",
                ),
                version => refused(
                    format!(
                        "`--sandbox landlock` needs version {LEAST_LANDLOCK} of Landlock, to keep the agent from signalling \
                         other processes; this kernel has version {version}"
                    ),
                    "use `--sandbox bwrap`, or a kernel from 6.12 on",
                ),
            },
        }
    }

    /// What shuts the agent in. `launch` are the files that it is started with.
    ///
    /// # Errors
    /// A [`Code::NoSandbox`] failure where the agent could write what must be kept from it.
    pub(super) fn jail(
        &self,
        places: &Places,
        launch: Vec<PathBuf>,
        work_dir: &Path,
    ) -> Result<Jail, Failure> {
        let mut scene = places.scene();
        scene.shown.extend(launch.iter().filter_map(|file| real(file)));
        let work_dir = real(work_dir).unwrap_or_else(|| work_dir.to_owned());
        match self {
            Means::Bwrap(program) => {
                scene.hide_sockets();
                let plan = plan::Plan::new(scene)?;
                let args = bwrap::arguments(&plan, &work_dir, &scene::entries);
                Ok(Jail::Bubblewrap { program: program.clone(), args })
            }
            Means::Landlock => landlock::jail(&plan::Plan::new(scene)?, &scene::entries),
        }
    }

    /// Whether an agent can build a sandbox of its own in this one.
    pub(super) fn can_hold_another(&self) -> bool {
        matches!(self, Means::Bwrap(_)) && !rustix::process::geteuid().is_root()
    }

    /// What a person should know of it.
    pub(super) fn notice(&self, has_network: bool) -> Option<String> {
        let reaches = matches!(self, Means::Bwrap(_)) && has_network && landlock_version() < LEAST_LANDLOCK;
        reaches.then(|| {
            "this kernel cannot keep the agent from sockets without a path that other programs have made (abstract Unix \
             sockets); `--sandbox-net off` does"
                .to_owned()
        })
    }
}

/// The inherited variables without those that lead out of a sandbox or hold secrets, but for these of the agent's own login; with a
/// notice that names them.
pub(super) fn inherited(all: &Variables, login: &[&str]) -> (Variables, Option<String>) {
    let is_out = |name: &OsString| {
        name.to_str().is_some_and(|name| secrets::stays_outside(name) && !login.contains(&name))
    };
    let (out, kept): (Variables, Variables) = all.iter().cloned().partition(|(name, _)| is_out(name));
    let names: Vec<String> = out.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let notice = (!names.is_empty()).then(|| {
        format!(
            "the sandbox keeps these variables of yours from the agent: {}; give it one with `--env` or `--env-file`",
            names.join(", ")
        )
    });
    (kept, notice)
}
