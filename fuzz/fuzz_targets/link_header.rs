//! Hostile bytes for the parser that `docker_manifest::fuzzing` calls `link_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| docker_manifest::fuzzing::run("link_header", bytes));
