//! Calls at places that a registry named (RFC 9110's `Location`, RFC 8288's `Link`), and bodies that are read and sent as
//! they come.
//!
//! A place can be on any server. The registry's credentials go there only where it is the registry itself.

use super::body::{Incoming, Outgoing, Slot};
use super::call::{Call, Reply};
use super::deadline::Deadline;
use super::error::{Kind, RegistryError};
use super::failure::Failure;
use super::session::Session;
use super::transport::Request;
use super::url::Url;

impl Session {
    /// A call, but the body of a success is handed out, to be read as it comes.
    pub(super) fn download(&self, call: &Call<'_>) -> Result<(Reply, Incoming), RegistryError> {
        let slot = Slot::default();
        let reply = self.call(&Call { slot: Some(&slot), ..*call })?;
        let missing = || RegistryError::new(Kind::Protocol, call.registry, "an answer without a body");
        slot.into_inner().ok_or_else(missing).map(|body| (reply, body))
    }

    /// The same call at a URL that the registry named, instead of its target: as ever where that is the registry itself,
    /// and without credentials where it is not.
    pub(super) fn call_at(&self, call: &Call<'_>, url: &Url) -> Result<Reply, RegistryError> {
        let here = Call { target: url.target(), ..*call };
        if self.is_home(call.registry, url)? {
            return self.call(&here);
        }
        let own = self.deadline();
        let deadline = call.deadline.map_or(own.clone(), |whole| own.sooner(whole));
        let failed =
            |failure: Failure| failure.into_error(call.registry, format!("{} {}", call.method, self.shown(url)));
        self.retrying(call.registry, here.is_repeatable(), &deadline, |_| {
            let followed = self.follow(&here, url.clone(), None, &deadline);
            self.judge(&here, followed.map(|reply| Reply { is_home: false, ..reply }).map_err(failed))
        })
    }

    /// Sends a body that is read as it goes out, to a URL that the registry named. Once, as what was read is gone: what
    /// the registry wants of a login is found out before, by a request that is cheap.
    pub(super) fn upload(&self, call: &Call<'_>, url: &Url, body: &mut Outgoing<'_>) -> Result<Reply, RegistryError> {
        let is_home = self.is_home(call.registry, url)?;
        let header = || self.authenticator.header(call.registry, call.scopes).filter(|_| is_home);
        let mut authorization = header();
        if is_home && authorization.is_none() && !self.is_open(call.registry) {
            self.call(&call.ping())?;
            authorization = header();
        }
        let request = Request {
            method: call.method,
            url,
            headers: call.headers,
            authorization: authorization.as_ref(),
            body: None,
            cap: call.cap,
            repeatable: false,
            guarded: false,
            deadline: call.deadline.unwrap_or(&Deadline::NONE),
        };
        let shown = format!("{} {}", call.method, self.shown(url));
        let answered = self.transport.upload(call.registry, &request, body);
        let answer = answered.map_err(|failure| failure.into_error(call.registry, shown.clone()))?;
        let reply = Reply { answer, url: url.clone(), request: shown, is_home };
        if is_home && reply.answer.status != 401 {
            self.took(call, authorization.as_ref(), &reply);
        }
        self.judge(call, Ok(reply))
    }

    /// Where a `Location` or `Link` of this reply leads: anywhere but from https to http, as with redirects. The error
    /// says what is wrong with it.
    pub(super) fn place(&self, reply: &Reply, location: &str) -> Result<Url, String> {
        let url = reply.url.join(location)?;
        if reply.url.origin.https && !url.origin.https && !self.insecure {
            return Err(format!("from https to {}", reply.answer.quote(&url.origin.to_string())));
        }
        Ok(url)
    }

    /// A URL as it may stand in a message.
    pub(super) fn shown(&self, url: &Url) -> String {
        self.transport.secrets().url(url)
    }

    /// Whether a URL is the registry's own, so that credentials for the registry may be sent there.
    pub(super) fn is_home(&self, registry: &str, url: &Url) -> Result<bool, RegistryError> {
        Ok(*self.endpoints.of(registry)?.home() == url.origin)
    }
}
