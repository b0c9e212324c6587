//! The options of setup commands and ports.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::environment::{PortName, SetupRequest};

/// Setup and ports
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct SetupArgs {
    /// Run this command in the work dir before the environment is ready, after those of the repository; may be repeated
    ///
    /// It is a command for `sh -c`, with paths as in the work dir, and your own: it needs no trust. It has the variables of a run, but for those of the task. If it
    /// fails, so does the command, and a new environment is removed; what it has written in a folder of yours stays.
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    pub setup: Vec<String>,
    /// Leave out the setup and teardown commands that the repository names in `.execenv.json`
    ///
    /// Without it they run if you have trusted them (`execenv trust`), else the command ends with status 2. The ports of the file are
    /// given in both cases.
    #[arg(long)]
    pub no_setup: bool,
    /// Give the environment a TCP port of its own, which is free; may be repeated
    ///
    /// The agent and the setup commands have the first port as EXECENV_PORT, and each by its name: EXECENV_PORT_WEB for `web`. No
    /// other environment of the workspaces root gets it. `run` tests it again, and ends with status 5 if another program
    /// listens on it.
    #[arg(long, value_name = "NAME")]
    pub port: Vec<PortName>,
}

impl SetupArgs {
    /// What is asked for.
    pub(super) fn request(&self) -> SetupRequest {
        SetupRequest {
            commands: self.setup.clone(),
            is_off: self.no_setup,
            ports: self.port.clone(),
            ..SetupRequest::default()
        }
    }
}
