//! The long kinds of tests: registries that fail at each request, and processes that end at each step of a write.
//! `make test` runs them on samples, whose sizes are printed; `make faults` runs them whole.

mod crash;
mod fault_matrix;
#[path = "../common/in_process.rs"]
mod in_process;
mod shared_drafts;

use docker_manifest::env::Env;

/// The program under test.
const OURS: &str = env!("CARGO_BIN_EXE_docker-manifest");

/// The value of an environment variable that is a number.
fn variable(name: &str) -> Option<u64> {
    Env::from_process().get(name).map(|text| text.parse().expect("a number"))
}

/// Whether to try everything rather than a sample: `make faults`.
fn is_exhaustive() -> bool {
    variable("FAULTS_WHOLE").is_some_and(|number| number != 0)
}
