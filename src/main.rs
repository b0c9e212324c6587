//! The `execenv` program: passes its arguments to [`execenv::main`] and returns the exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    execenv::main()
}
