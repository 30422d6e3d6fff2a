//! Shared drafts: many writers and publishers at once, and processes that end at each request.
//!
//! `make test` runs a sample of the race; `make faults` runs all of it. `RACE_ROUNDS=5000` has more rounds.

mod crash;
mod race;
