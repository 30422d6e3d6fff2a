//! Hostile bytes for the parser that `docker_manifest::fuzzing` calls `error_response`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| docker_manifest::fuzzing::run("error_response", bytes));
