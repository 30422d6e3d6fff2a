//! A registry that counts references: it deletes a manifest that nothing names any more.

use serde_json::Value;

use super::super::Builder;
use super::super::distribution_api::ApiState;
use super::super::http::Response;
use super::super::manifest;
use super::manifests::Manifests;

impl Manifests {
    /// DELETE of a manifest or a tag, with what goes with it.
    pub(crate) fn delete(&self, state: &mut ApiState, name: &str, reference: &str) -> Response {
        let found = state.repos.get(name).and_then(|repo| {
            let digest = repo.resolve(reference)?;
            let (_, bytes) = repo.manifests.get(&digest)?;
            Some((digest, children(bytes)))
        });
        let Some((digest, children)) = found.filter(|_| self.prunes || self.deletes_children) else {
            return manifest::delete(state, name, reference);
        };
        if self.deletes_children {
            let response = manifest::delete(state, name, reference);
            children.iter().for_each(|child| drop(manifest::delete(state, name, child)));
            return response;
        }
        if reference.contains(':') && is_child(state, name, &digest) {
            let message = "requested access to the resource is denied: a manifest refers to it";
            return Response::error(405, "DENIED", message, Value::Null);
        }
        let response = manifest::delete(state, name, reference);
        prune(state, name, children.into_iter().chain([digest]).collect());
        response
    }

    /// After a tag was put: what it named before is perhaps not named any more.
    pub(crate) fn after_move(&self, state: &mut ApiState, name: &str, before: Option<String>, now: &str) {
        if let Some(before) = before.filter(|before| self.prunes && before != now) {
            prune(state, name, vec![before]);
        }
    }
}

/// Takes those of these manifests away that neither a tag nor an index names, then what they named, and so on.
fn prune(state: &mut ApiState, name: &str, mut open: Vec<String>) {
    while let Some(digest) = open.pop() {
        if is_child(state, name, &digest) {
            continue;
        }
        let Some(repo) = state.repos.get_mut(name) else { return };
        if repo.tags.values().any(|tagged| *tagged == digest) {
            continue;
        }
        open.extend(repo.manifests.remove(&digest).iter().flat_map(|(_, bytes)| children(bytes)));
        state.pruned.insert(digest);
    }
}

fn is_child(state: &ApiState, name: &str, digest: &str) -> bool {
    let manifests = state.repos.get(name).map(|repo| repo.manifests.values());
    manifests.into_iter().flatten().any(|(_, bytes)| children(bytes).iter().any(|child| child == digest))
}

fn children(bytes: &[u8]) -> Vec<String> {
    let index: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let lines = index["manifests"].as_array().into_iter().flatten();
    lines.filter_map(|line| line["digest"].as_str().map(str::to_owned)).collect()
}

impl Builder {
    /// Deletes all that an index names together with it, also what others name. As Artifactory is documented to do.
    pub fn deletes_children(mut self) -> Builder {
        self.habits.manifests.deletes_children = true;
        self
    }

    /// Deletes an index with all that only it named, also where its tag moves on; refuses to delete what an index names
    /// (405 `DENIED`); and takes an index though what it names went so a moment ago. As zot does.
    pub fn prunes_children(mut self) -> Builder {
        self.habits.manifests.prunes = true;
        self
    }
}
