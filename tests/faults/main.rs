//! The long kinds of tests: registries that fail at each request, and processes that end at each step of a write.
//! `make test` runs them on samples, whose sizes are printed; `make faults` runs them whole.

mod crash;
mod fault_matrix;
#[path = "../shared/in_process.rs"]
mod in_process;

/// The program under test.
const OURS: &str = env!("CARGO_BIN_EXE_docker-manifest");
