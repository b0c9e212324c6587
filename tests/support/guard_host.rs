//! The guard as a program of its own.

fn main() {
    execenv::internals::supervise::guard::main();
}
