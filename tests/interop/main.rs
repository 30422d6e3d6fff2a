//! Lists and indexes beside skopeo, podman, buildah, umoci, containerd's ctr and docker: they read ours, we read
//! theirs. Each test is the proof of a row in `docs/interop.md` or `docs/registries.md`; `draft_store` is about the
//! drafts that docker and this program share.

mod buildah;
mod compare;
mod ctr;
mod docker;
mod draft_store;
mod fixture;
mod interop_docs;
mod layouts;
mod podman;
mod registries;
mod skopeo;
mod umoci;

/// The program under test.
const OURS: &str = env!("CARGO_BIN_EXE_docker-manifest");
