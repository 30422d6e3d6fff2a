//! A drop-in, better `docker manifest`: drafts of multi-architecture images, kept where docker keeps them, and a
//! registry client to make and publish them.
//!
//! # The picture
//!
//! Data flows one way: argv → [`cli`] → [`core`] → [`content`] and [`drafts`] → wire. Imports go down only; modules on
//! one line do not import each other. `tests/layers.rs` enforces it, and compares this picture with its table.
//!
//! ```text
//! main                                                entry
//! lib, fuzzing                                        dispatch; what fuzzers call
//! cli                                                 argv, help, completion, docker's plugin protocol, rendering
//! core                                                what a user wants done: no argv, no terminal
//! drafts                                              where drafts are kept: docker's directory
//! content                                             where images are read from and written to: registries, layouts
//! auth                                                challenges, tokens, credentials
//! net                                                 HTTP, TLS, proxies, retries, rate limits, redaction
//! model                                               documents and specs as values
//! location                                            where an image is: in a registry or in a layout
//! reference, platform                                 leaves that parse names
//! digest, secret, env, sanitize, suggest, sync, failure_kind, regular_file, locked_file, io_message  leaves
//! ```

// No input may end the program: `make lint` refuses what could panic, and what truncates with it.
#![cfg_attr(
    not(any(test, feature = "fuzzing")),
    warn(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    ),
    warn(clippy::missing_errors_doc)
)]

pub mod auth;
pub mod cli;
pub mod content;
pub mod core;
pub mod digest;
pub mod drafts;
pub mod env;
pub mod failure_kind;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod io_message;
pub mod location;
mod locked_file;
pub mod model;
pub mod net;
pub mod platform;
pub mod reference;
pub mod regular_file;
pub mod sanitize;
pub mod secret;
pub mod suggest;
pub mod sync;

pub use cli::dispatch::{run, run_with_clock};
