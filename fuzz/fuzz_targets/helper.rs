//! Hostile bytes for the parser that `docker_manifest::fuzzing` calls `helper`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| docker_manifest::fuzzing::run("helper", bytes));
