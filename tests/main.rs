//! The whole program, run as its users run it: one binary, a module per command or concern.

mod cases {
    mod auth;
    mod client;
    mod client_bench;
    mod client_faults;
    mod client_tls;
    mod differential;
    mod interop;
    mod scene;
    mod tls;
    mod tls_docker;
}
