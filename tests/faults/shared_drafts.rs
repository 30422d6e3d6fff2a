//! Shared drafts: many writers and publishers at once, and processes that end at each request.
//!
//! `make test` runs a sample of the race; `make faults` runs all of it. Its 2,000 rounds of 64 legs take
//! about an hour on two cores; `RACE_ROUNDS=100` runs fewer.

mod crash;
mod race;
