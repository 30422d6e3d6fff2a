//! docker-manifest as a library.
