//! The guard as a program of its own: `guard-host RUN_ID GRACE_MS RUN_PID`.

fn main() {
    let args: Vec<String> = std::env::args().collect();
    execenv::internals::supervise::guard::main(
        &args[1],
        args[2].parse().expect("milliseconds"),
        args[3].parse().expect("a process id"),
    );
}
