//! Lists and indexes beside skopeo, podman, buildah, umoci, containerd's ctr and docker: they read ours, we read theirs.
//! Each test is the proof of a row in `docs/interop.md`.

mod buildah;
mod compare;
mod ctr;
mod docker;
mod fixture;
mod podman;
mod rows;
mod skopeo;
mod umoci;

/// The program under test.
const OURS: &str = env!("CARGO_BIN_EXE_docker-manifest");
