//! The `execenv` program: hands its arguments to [`execenv::cli`] and returns the exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    execenv::cli::main()
}
