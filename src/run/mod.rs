//! One run of an agent in an environment.

mod record;

pub use record::RunningEnv;
