//! The `execenv` program: hands its arguments to [`execenv::app`] and returns the exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    execenv::app::main()
}
