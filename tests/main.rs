//! The whole program, run as its users run it: one binary, a module per command or concern.

mod cases {
    /// The program under test.
    const OURS: &str = env!("CARGO_BIN_EXE_docker-manifest");

    /// The flags that docker's commands do not have; comparisons with docker leave them out.
    const OWN_FLAGS: &[&str] = &["--jobs"];

    mod args;
    mod auth;
    mod beyond_docker;
    mod client;
    mod client_bench;
    mod client_faults;
    mod client_tls;
    mod completion;
    mod concurrency;
    mod copy;
    mod counts;
    mod crash;
    mod differential;
    mod hostile_store;
    mod interop;
    mod plugin;
    mod references;
    mod retries;
    mod scene;
    mod secrets;
    mod shell_init;
    mod sources;
    mod tls;
    mod tls_docker;
}
