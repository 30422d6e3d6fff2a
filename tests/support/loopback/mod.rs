//! A registry of our own on loopback: correct by default, wrong on demand, and it remembers every request.
//!
//! It follows the OCI distribution spec 1.1, and docker-registry where that is stricter. Nothing in it waits for a
//! clock: tokens expire, and held answers go on, when a test says so. Dropping it ends every thread it started.

mod auth;
mod auth_config;
mod blob;
mod builder;
mod distribution_api;
mod faults;
mod gate;
mod generated_blob;
mod habits;
mod http;
mod manifest;
mod observed;
mod random_faults;
mod rate_limit;
mod record;
mod redirect_target;
mod route;
mod rule;
mod serve;
#[cfg(test)]
mod tests;
mod upload;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

pub use auth_config::{Auth, Bearer};
pub use builder::Builder;
pub use faults::{Fault, gzip_stored};
pub use generated_blob::GeneratedBlob;
pub use random_faults::RandomFaults;
pub use record::RecordedRequest;
pub use redirect_target::RedirectTarget;
pub use rule::Rule;

use crate::image::{Image, Index};
use auth::AccessControl;
use blob::Blob;
use distribution_api::DistributionApi;
use gate::Gate;
use habits::{HidesFrom, PutsInFlight};
use http::{Connection, Head, Request, Response};
use rate_limit::RateLimit;
use record::RequestLog;
use route::Route;
use rule::Faults;
use serve::{AfterResponse, Server};

/// A running registry.
pub struct Registry {
    shared: Arc<Shared>,
    server: Server,
    /// Where the tokens come from, when they have a port of their own.
    token_server: Mutex<Option<Server>>,
}

/// What the threads of one registry have in common.
struct Shared {
    log: Arc<RequestLog>,
    access_control: AccessControl,
    api: DistributionApi,
    faults: Faults,
    gate: Gate,
    rate_limit: Option<RateLimit>,
    puts_in_flight: PutsInFlight,
}

impl Registry {
    /// A plain-HTTP registry without auth on a free port of 127.0.0.1.
    pub fn start() -> Registry {
        Registry::builder().start()
    }

    /// The same, to be changed before it starts.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// `127.0.0.1:PORT` or `[::1]:PORT`: the registry half of a reference.
    pub fn host(&self) -> String {
        self.addr().to_string()
    }

    /// The whole name of something here: `127.0.0.1:PORT/REST`.
    pub fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host())
    }

    /// The words of a command line, with the whole name in the place of each that begins with `@`.
    pub fn expand_names(&self, words: &[&str]) -> Vec<String> {
        let named = |word: &&str| word.strip_prefix('@').map_or_else(|| (*word).to_owned(), |rest| self.name(rest));
        words.iter().map(named).collect()
    }

    /// `http://…` or `https://…`, without a path.
    pub fn url(&self) -> String {
        let scheme = if self.shared.api.habits.serves_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.addr())
    }

    /// Puts an image and its blobs in place, under a tag or its digest; gives the digest.
    pub fn put_image(&self, repo: &str, reference: &str, image: &Image) -> String {
        let mut state = lock(&self.shared.api.state);
        for blob in image.blobs() {
            state.add_blob(repo, blob);
        }
        state.add_manifest(repo, reference, &image.media_type, &image.manifest)
    }

    /// Puts an index and the images and indexes that it carries in place; gives its digest.
    pub fn put_index(&self, repo: &str, reference: &str, index: &Index) -> String {
        for child in &index.indexes {
            self.put_index(repo, &child.digest(), child);
        }
        for image in &index.images {
            self.put_image(repo, &image.digest(), image);
        }
        self.put_manifest(repo, reference, &index.media_type, &index.manifest)
    }

    /// Puts any bytes in place as a manifest, unchecked; gives their digest.
    pub fn put_manifest(&self, repo: &str, reference: &str, media_type: &str, bytes: &[u8]) -> String {
        lock(&self.shared.api.state).add_manifest(repo, reference, media_type, bytes)
    }

    /// Puts a blob in place; gives its digest.
    pub fn put_blob(&self, repo: &str, bytes: &[u8]) -> String {
        lock(&self.shared.api.state).add_blob(repo, bytes)
    }

    /// Puts a blob in place under this digest of it.
    pub fn put_blob_as(&self, repo: &str, digest: &str, bytes: &[u8]) {
        lock(&self.shared.api.state).add_blob_as(repo, digest, Blob::Stored(Arc::new(bytes.to_vec())));
    }

    /// Puts a blob in place that is made anew whenever it is asked for; gives its digest.
    pub fn put_generated_blob(&self, repo: &str, blob: &GeneratedBlob) -> String {
        lock(&self.shared.api.state).add_blob_as(repo, &blob.digest(), Blob::Generated(blob.clone()));
        blob.digest()
    }

    /// The size of a blob, if the repository has it.
    pub fn blob_size(&self, repo: &str, digest: &str) -> Option<u64> {
        let state = lock(&self.shared.api.state);
        state.blobs.get(digest).filter(|_| state.has_blob(repo, digest)).map(Blob::size)
    }

    /// The Content-Type and bytes held under a tag or digest.
    pub fn manifest(&self, repo: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let state = lock(&self.shared.api.state);
        let repo = state.repos.get(repo)?;
        let (media_type, bytes) = repo.manifests.get(&repo.resolve(reference)?)?;
        Some((media_type.clone(), bytes.to_vec()))
    }

    /// The tags of a repository, sorted.
    pub fn tags(&self, repo: &str) -> Vec<String> {
        let state = lock(&self.shared.api.state);
        state.repos.get(repo).map_or_else(Vec::new, |repo| repo.tags.keys().cloned().collect())
    }

    /// Whether the repository has a blob.
    pub fn has_blob(&self, repo: &str, digest: &str) -> bool {
        lock(&self.shared.api.state).has_blob(repo, digest)
    }

    /// Uploads that were begun and neither finished nor cancelled.
    pub fn open_uploads(&self) -> usize {
        lock(&self.shared.api.state).uploads.len()
    }

    /// Forgets what was recorded; what is stored, the faults and the tokens stay.
    pub fn clear_record(&self) {
        self.shared.log.clear();
    }

    /// From now on, this goes wrong. The first rule that applies wins; each counts for itself.
    pub fn add_fault(&self, rule: Rule, fault: Fault) {
        self.shared.faults.add(rule, fault);
    }

    /// The n-th request from now on, whatever it is (requests for tokens count), meets this fault, and no other does
    /// by this rule.
    pub fn fail_request(&self, n: usize, fault: Fault) {
        self.add_fault(Rule::any().nth(n), fault);
    }

    /// From now on, requests that no rule applies to get random faults. If the test fails, the seed and the faults
    /// applied are printed when the registry is dropped.
    pub fn inject_randomly(&self, random_faults: RandomFaults) {
        self.shared.faults.inject_randomly(random_faults);
    }

    /// The faults applied since they were last cleared: the number of the request since then, from 1, and its fault.
    pub fn injected(&self) -> Vec<(usize, Fault)> {
        self.shared.faults.injected()
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Lets the requests that [`Fault::Hang`] holds go on to their right answers.
    pub fn release(&self) {
        self.shared.gate.release();
    }

    /// Lets every answer that [`Fault::Drip`] holds send so many bytes more.
    pub fn drip(&self, bytes: u64) {
        self.shared.gate.drip(bytes);
    }

    /// Ends the token endpoint for good, where it has a port of its own: connections to it are refused.
    pub fn stop_token_server(&self) {
        let tokens = lock(&self.token_server).take();
        assert!(tokens.is_some(), "the token endpoint has no port of its own, or was stopped before");
    }

    /// Every token given out so far is refused from now on (`error="invalid_token"`).
    pub fn expire_tokens(&self) {
        self.shared.access_control.expire_tokens();
    }

    /// Every token given out so far, refresh tokens included: what must not be found in any output.
    pub fn issued_tokens(&self) -> Vec<String> {
        self.shared.access_control.issued()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let (true, Some(seed)) = (std::thread::panicking(), self.shared.faults.seed()) {
            let line = format!("faults of {} by seed {seed}: {:?}\n", self.host(), self.injected());
            // A failed write to stderr cannot be reported.
            let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
        }
        // The servers' own drop then joins the threads that this lets go.
        self.shared.gate.shut_down();
    }
}

impl Shared {
    fn handle(&self, connection: &mut Connection, head: Head) -> io::Result<AfterResponse> {
        let held = self.gate.register();
        // Before it is announced: a test that waits for it may send others, which must not get its fault.
        let pick = || self.faults.pick(&head).or_else(|| self.rate_limit.as_ref().and_then(RateLimit::refusal));
        let (put, fault) = self.puts_in_flight.begin_put(&self.api.habits.manifests, &head, pick);
        let serial = self.log.record_arrival(&head, connection);
        match &fault {
            Some(Fault::CutBeforeBody) => return Ok(cut(connection)),
            Some(Fault::ResetBeforeBody) => return Ok(AfterResponse::Reset),
            Some(Fault::EarlyFinal401) => return self.refuse_early(connection, &head, serial),
            Some(Fault::ExpireTokens) => self.access_control.expire_tokens(),
            None if head.wants_continue() && self.refusal(&head).is_some() => {
                return self.refuse_early(connection, &head, serial);
            }
            _ => {}
        }
        let request = self.receive(connection, head, serial, fault.as_ref())?;
        if fault == Some(Fault::ResetAfterBody) {
            return Ok(AfterResponse::Reset);
        }
        let cut_now = matches!(fault, Some(Fault::CutAfterBody | Fault::CutRequestAfter(_)));
        if cut_now || (fault == Some(Fault::Hang) && !held.wait()) {
            return Ok(cut(connection));
        }
        let mut response =
            fault.as_ref().and_then(|fault| fault.replacement(&request.head)).unwrap_or_else(|| self.answer(&request));
        if fault == Some(Fault::CutAfterEffect) {
            return Ok(cut(connection));
        }
        if let Some(fault) = &fault {
            fault.alter(&mut response);
        }
        // Who gets the response may send the next one.
        drop(put);
        self.log.record_status(serial, response.status);
        match fault {
            Some(fault) => fault.send(connection, &request.head, &response, &held),
            None => faults::send_unaltered(connection, &request.head, &response),
        }
    }

    /// Reads a request's body: into its upload, where it has one that would be let, as it comes.
    fn receive(
        &self,
        connection: &mut Connection,
        head: Head,
        serial: usize,
        fault: Option<&Fault>,
    ) -> io::Result<Request> {
        let DistributionApi { habits, state } = &self.api;
        let effect = fault.is_none_or(Fault::has_effect);
        let upload = match Route::parse(head.path()) {
            Route::Upload { repo, id } => Some((repo, id)),
            _ => None,
        };
        let is_body_in_upload = effect && self.refusal(&head).is_none();
        let is_body_in_upload = is_body_in_upload
            && upload.as_ref().is_some_and(|(repo, id)| upload::receives(&lock(state), &head, repo, id));
        let mut body = Vec::new();
        let limit = fault.map_or(u64::MAX, Fault::body_bytes_read);
        let read = connection.read_body(&head, limit, |bytes| {
            match &upload {
                None => body.extend_from_slice(bytes),
                Some((_, id)) if is_body_in_upload => upload::receive(&mut lock(state), id, bytes, habits),
                Some(_) => {}
            }
            self.log.record_body(serial, bytes);
        });
        if let (true, Some((_, id))) = (is_body_in_upload && (read.is_err() || limit < u64::MAX), &upload) {
            upload::connection_broke(&mut lock(state), id, habits);
        }
        read.map(|()| Request { head, body, is_body_in_upload })
    }

    fn answer(&self, request: &Request) -> Response {
        if request.head.path() == "/token" {
            return self.access_control.token(request);
        }
        match self.access_control.check(&request.head) {
            Ok(access) => self.api.answer(request, access),
            Err(refusal) => self.hide(&request.head, *refusal),
        }
    }

    /// The response to an unauthorized request.
    fn refusal(&self, head: &Head) -> Option<Response> {
        if head.path() == "/token" {
            None
        } else {
            self.access_control.check(head).err().map(|refusal| self.hide(head, *refusal))
        }
    }

    /// The refusal, or what a registry says instead that does not tell what it has.
    fn hide(&self, head: &Head, refusal: Response) -> Response {
        let hidden = match self.api.habits.hides_repositories_from {
            HidesFrom::Nobody => false,
            HidesFrom::Authenticated => head.header("Authorization").is_some(),
            HidesFrom::All => true,
        };
        match Route::parse(head.path()).repo().filter(|_| hidden) {
            Some(repo) => distribution_api::name_unknown(repo),
            None => refusal,
        }
    }

    /// The final 401 of a request whose body was not read; as that may still be under way, the connection ends.
    fn refuse_early(&self, connection: &mut Connection, head: &Head, serial: usize) -> io::Result<AfterResponse> {
        let response = self.refusal(head).unwrap_or_else(|| self.access_control.challenge(head, None));
        self.log.record_status(serial, response.status);
        connection.respond(head, &response.header("Connection", "close"))?;
        Ok(AfterResponse::Close)
    }
}

fn cut(connection: &mut Connection) -> AfterResponse {
    connection.cut();
    AfterResponse::Close
}

/// The lock, whether or not a thread that held it panicked: its panic is reported where it happened.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
