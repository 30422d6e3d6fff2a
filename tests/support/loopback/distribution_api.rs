//! The OCI distribution API 1.1, and the content that it serves: manifests, tags and blobs by repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::auth::Access;
use super::blob::{self, Blob};
use super::faults::web_page;
use super::habits::{Habits, Referrers, RefusalCounts};
use super::http::{Head, Request, Response};
use super::lock;
use super::manifest;
use super::route::Route;
use super::upload::{self, Upload};
use crate::image::{OCI_INDEX, sha256};

/// One repository.
#[derive(Default)]
pub(crate) struct Repo {
    /// By digest: media type and bytes.
    pub(crate) manifests: BTreeMap<String, (String, Arc<Vec<u8>>)>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Digests of the blobs that are linked here.
    pub(crate) blobs: BTreeSet<String>,
}

impl Repo {
    /// The digest that a tag or digest stands for, if it is here.
    pub(crate) fn resolve(&self, reference: &str) -> Option<String> {
        let digest = if reference.contains(':') { reference } else { self.tags.get(reference)? };
        self.manifests.contains_key(digest).then(|| digest.to_owned())
    }
}

/// Everything that is stored, of all repositories.
#[derive(Default)]
pub(crate) struct ApiState {
    pub(crate) repos: BTreeMap<String, Repo>,
    pub(crate) blobs: BTreeMap<String, Blob>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    pub(crate) uploads_started: usize,
    /// What habits remember.
    pub(crate) refusal_counts: RefusalCounts,
    /// The digests of manifests that were removed because nothing named them any more: indexes that name them are
    /// still accepted.
    pub(crate) pruned: BTreeSet<String>,
}

impl ApiState {
    pub(crate) fn add_blob(&mut self, repo: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.add_blob_as(repo, &digest, Blob::Stored(Arc::new(bytes.to_vec())));
        digest
    }

    /// Puts a blob in place; one that is there already stays as it is held.
    pub(crate) fn add_blob_as(&mut self, repo: &str, digest: &str, blob: Blob) {
        self.blobs.entry(digest.into()).or_insert(blob);
        self.repos.entry(repo.into()).or_default().blobs.insert(digest.into());
    }

    /// Stores a manifest unchecked, and tags it where `reference` is no digest.
    pub(crate) fn add_manifest(&mut self, repo: &str, reference: &str, media_type: &str, bytes: &[u8]) -> String {
        let digest = if reference.starts_with("sha512:") { reference.to_owned() } else { sha256(bytes) };
        let repo = self.repos.entry(repo.into()).or_default();
        repo.manifests.insert(digest.clone(), (media_type.into(), Arc::new(bytes.to_vec())));
        if !reference.contains(':') {
            repo.tags.insert(reference.into(), digest.clone());
        }
        digest
    }

    pub(crate) fn has_blob(&self, repo: &str, digest: &str) -> bool {
        self.repos.get(repo).is_some_and(|repo| repo.blobs.contains(digest))
    }
}

/// Handles authorized requests of the distribution API.
#[derive(Default)]
pub(crate) struct DistributionApi {
    pub(crate) habits: Habits,
    pub(crate) state: Mutex<ApiState>,
}

impl DistributionApi {
    /// Responds to an authorized request.
    pub(crate) fn answer(&self, request: &Request, access: Access) -> Response {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let head = &request.head;
        let method = head.method.as_str();
        let habits = &self.habits;
        if let Some(refusal) = habits.limits.refuse(head, request.body.len()) {
            return refusal;
        }
        let mut response = match (method, Route::parse(head.path())) {
            ("GET" | "HEAD", Route::Base) => Response::new(200).json(&json!({})),
            ("GET" | "HEAD", Route::Manifest { repo, reference }) => self.get_manifest(state, head, &repo, &reference),
            ("PUT", Route::Manifest { repo, reference }) => self.put_manifest(state, request, &repo, &reference),
            ("DELETE", Route::Manifest { .. } | Route::Blob { .. }) if habits.no_deletion => unsupported(),
            ("DELETE", Route::Manifest { repo, reference }) => {
                let refusal = habits.tags.refuse_deletion(head, &reference);
                refusal.unwrap_or_else(|| habits.manifests.delete(state, &repo, &reference))
            }
            ("GET" | "HEAD", Route::Blob { repo, digest }) => {
                let mut response = blob::get(state, head, &repo, &digest, !habits.no_ranges);
                if let (true, Some(Blob::Stored(bytes))) = (habits.canonical_blob_digests, state.blobs.get(&digest)) {
                    response.set("Docker-Content-Digest", &sha256(bytes));
                }
                response
            }
            ("DELETE", Route::Blob { repo, digest }) => blob::delete(state, &repo, &digest),
            ("POST", Route::Uploads { repo }) => self.start_upload(state, request, &repo, access),
            (_, Route::Upload { repo, id }) => {
                upload::handle(state, request, &repo, &id, habits, |path| self.url(head, path))
            }
            ("GET", Route::Tags { repo }) => self.tags(state, head, &repo),
            ("GET", Route::Referrers { .. }) if habits.referrers == Referrers::Html => web_page(),
            ("GET", Route::Referrers { repo, digest }) if habits.referrers == Referrers::Served => {
                referrers(state, head, &repo, &digest)
            }
            (_, Route::Unknown | Route::Referrers { .. }) => {
                Response::new(404).body("text/plain; charset=utf-8", "404 page not found\n")
            }
            _ => unsupported(),
        };
        habits.apply(head, &mut response);
        response.header("Docker-Distribution-Api-Version", "registry/2.0")
    }

    /// A Location: with scheme and host, as docker-registry sends it, or the bare path.
    fn url(&self, head: &Head, path: &str) -> String {
        if self.habits.relative_locations {
            return path.to_owned();
        }
        self.absolute(head, path)
    }

    fn absolute(&self, head: &Head, path: &str) -> String {
        let scheme = if self.habits.serves_tls || self.habits.https_locations { "https" } else { "http" };
        format!("{scheme}://{}{path}", head.header("Host").unwrap_or("localhost"))
    }

    fn get_manifest(&self, state: &mut ApiState, head: &Head, repo: &str, reference: &str) -> Response {
        let manifests = &self.habits.manifests;
        let special = manifests.refuse_get(state, repo, reference);
        let special = special.or_else(|| manifests.replacement(state, head, repo, reference));
        let response = special.unwrap_or_else(|| manifest::get(state, head, repo, reference));
        match self.habits.tags.missing.filter(|_| response.status == 404 && !reference.contains(':')) {
            Some(status) => {
                Response::error(status, "DENIED", "requested access to the resource is denied", Value::Null)
            }
            None => response,
        }
    }

    fn put_manifest(&self, state: &mut ApiState, request: &Request, repo: &str, reference: &str) -> Response {
        let media_type = request.head.header("Content-Type").unwrap_or_default();
        let repo_now = state.repos.get(repo);
        let subject = match manifest::check(repo_now, &self.habits, &state.pruned, reference, media_type, &request.body)
        {
            Ok(subject) => subject,
            Err(refusal) => return *refusal,
        };
        let Habits { tags, manifests, .. } = &self.habits;
        let refusal = tags.refuse_condition(state, repo, reference, &request.head);
        let refusal = refusal.or_else(|| tags.refuse_put(state, repo, reference, media_type));
        if let Some(refusal) = refusal.or_else(|| manifests.refuse_list(state, &request.body)) {
            return refusal;
        }
        let before = state.repos.get(repo).and_then(|repo| repo.tags.get(reference).cloned());
        let digest = state.add_manifest(repo, reference, media_type, &request.body);
        manifests.after_move(state, repo, before, &digest);
        manifests.after_put(state, repo, &digest, &request.body);
        let location = self.url(&request.head, &format!("/v2/{repo}/manifests/{digest}"));
        let response = Response::new(201).header("Location", location).header("Docker-Content-Digest", digest);
        match subject {
            Some(subject) if self.habits.referrers == Referrers::Served => response.header("OCI-Subject", subject),
            _ => response,
        }
    }

    fn start_upload(&self, state: &mut ApiState, request: &Request, repo: &str, access: Access) -> Response {
        let head = &request.head;
        let parameter = |name: &str| head.query(name).into_iter().next();
        if let (Some(_), Some(from)) = (parameter("mount"), parameter("from"))
            && self.habits.denies_cross_repository_mounts
            && from != repo
        {
            let refusal = Response::error(401, "UNAUTHORIZED", "unauthorized to access repository", Value::Null);
            return refusal.header("WWW-Authenticate", "Basic realm=\"registry\"");
        }
        if let (Some(digest), Some(from)) = (parameter("mount"), parameter("from"))
            && access.may_mount
            && !self.habits.no_mounts
            && state.has_blob(&from, &digest)
        {
            state.repos.entry(repo.into()).or_default().blobs.insert(digest.clone());
            return upload::created(self.url(head, &format!("/v2/{repo}/blobs/{digest}")), &digest);
        }
        if let Some(digest) = parameter("digest") {
            return upload::monolithic(state, repo, &digest, &request.body, |path| self.url(head, path));
        }
        upload::start(state, repo, &self.habits, |path| self.url(head, path))
    }

    fn tags(&self, state: &ApiState, head: &Head, name: &str) -> Response {
        if let Some(special) = self.habits.tags.list(state, name) {
            return special;
        }
        let Some(repo) = state.repos.get(name) else {
            return name_unknown(name);
        };
        let last = head.query("last").into_iter().next().unwrap_or_default();
        let requested = head.query("n").first().and_then(|n| n.parse().ok());
        let limit = requested.into_iter().chain(self.habits.page_limit).min().unwrap_or(usize::MAX);
        let rest: Vec<&String> = repo.tags.keys().filter(|tag| **tag > last).collect();
        let page: Vec<&String> = rest.iter().copied().take(limit).collect();
        let mut response = Response::new(200).json(&json!({"name": name, "tags": page}));
        if let (Some(tag), true) = (page.last(), page.len() < rest.len()) {
            let next = format!("/v2/{name}/tags/list?last={tag}&n={limit}");
            let next = if self.habits.absolute_links { self.absolute(head, &next) } else { next };
            response.set("Link", &format!("<{next}>; rel=\"next\""));
        }
        response
    }
}

pub(crate) fn name_unknown(name: &str) -> Response {
    Response::error(404, "NAME_UNKNOWN", "repository name not known to registry", json!({"name": name}))
}

fn unsupported() -> Response {
    Response::error(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null)
}

fn referrers(state: &ApiState, head: &Head, repo: &str, digest: &str) -> Response {
    let artifact_type = head.query("artifactType").into_iter().next();
    let manifests = state.repos.get(repo).map(|repo| &repo.manifests).into_iter().flatten();
    let descriptors: Vec<Value> = manifests
        .filter_map(|(own, (media_type, bytes))| manifest::referrer(own, media_type, bytes, digest))
        .filter(|descriptor| {
            artifact_type.as_ref().is_none_or(|artifact_type| descriptor["artifactType"] == **artifact_type)
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors});
    let response = Response::new(200).body(OCI_INDEX, index.to_string());
    if artifact_type.is_some() { response.header("OCI-Filters-Applied", "artifactType") } else { response }
}
