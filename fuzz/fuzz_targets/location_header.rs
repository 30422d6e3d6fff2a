//! Hostile bytes for the parser that `docker_manifest::fuzzing` calls `location_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| docker_manifest::fuzzing::run("location_header", bytes));
