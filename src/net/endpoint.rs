//! The address of a registry, and whether it speaks TLS.
//!
//! The protocol is found out once per command, by the first request that settles it. Such a request is sent over TLS.
//! If the peer does not speak TLS, the handshake fails before any HTTP was sent, so nothing is revealed, and the same
//! request is sent over plain HTTP, if that is permitted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::net::error::{ContactedServer, RegistryError, RegistryErrorKind, ServerNamedBy};
use crate::net::host;
use crate::net::transport_error::{Symptom, TransportError};
use crate::net::url::Origin;
use crate::sync::lock;

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// The host (and port) to contact for a registry of this name.
fn authority(registry: &str) -> &str {
    if registry == DOCKER_HUB { DOCKER_HUB_HOST } else { registry }
}

/// The origin of a registry; `None` if its name contains no valid host and port.
pub(crate) fn origin(registry: &str, https: bool) -> Option<Origin> {
    Origin::parse_authority(https, authority(registry))
}

/// The server of a registry that is contacted by another name than its own.
pub(crate) fn contacted_server(registry: &str, origin: &Origin) -> Option<ContactedServer> {
    let has_other_name = authority(registry) != registry;
    has_other_name.then(|| ContactedServer { origin: origin.to_string(), named_by: ServerNamedBy::RegistryName })
}

/// The name of a registry's directory in certs.d; `None` if docker has none: for Docker Hub and loopback names.
pub fn certs_d_name(registry: &str) -> Option<String> {
    let is_hub = registry == DOCKER_HUB || registry == DOCKER_HUB_HOST;
    (!is_hub && !host::is_loopback_authority(registry)).then(|| registry.to_owned())
}

/// Held during the first request to a registry, and released when that request ends. After a failure all waiting
/// threads continue together. One after the other, each would wait for an unreachable registry until its own deadline.
#[derive(Debug)]
pub(crate) struct FirstRequestGuard<'a>(MutexGuard<'a, bool>);

impl Drop for FirstRequestGuard<'_> {
    fn drop(&mut self) {
        *self.0 = true;
    }
}

/// How connections to a registry can be opened before they are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreconnectInfo<'a> {
    /// Where connections go.
    pub(crate) origin: &'a Origin,
    /// The number of connections that are used up by failing handshakes if the registry speaks plain HTTP.
    pub(crate) failing_handshakes: usize,
    /// Whether the registry certainly speaks TLS.
    pub(crate) is_tls_certain: bool,
}

/// The endpoint of each registry of the command.
#[derive(Debug)]
pub(crate) struct Endpoints {
    insecure: bool,
    plain_http: bool,
    known: Mutex<BTreeMap<String, Arc<Endpoint>>>,
}

/// The origins of one registry, and its protocol once it is known.
#[derive(Debug)]
pub(crate) struct Endpoint {
    https_origin: Origin,
    http_origin: Origin,
    /// Whether plain HTTP may be tried.
    allows_plain_http: bool,
    https: OnceLock<bool>,
    /// Whether the first request is over. Locked while it is sent.
    first_request_is_over: Mutex<bool>,
}

impl Endpoints {
    /// Without any registry. `plain_http` says that no registry speaks TLS.
    pub(crate) fn new(insecure: bool, plain_http: bool) -> Endpoints {
        Endpoints { insecure, plain_http, known: Mutex::default() }
    }

    /// The state of this registry.
    pub(crate) fn get(&self, registry: &str) -> Result<Arc<Endpoint>, RegistryError> {
        let refuse = |kind, detail: &str| Err(RegistryError::new(kind, registry, detail));
        if registry.is_empty() {
            let detail = "the name has no registry host: a host with an underscore is read as part of the repository";
            return refuse(RegistryErrorKind::NoHost, detail);
        }
        let mut known = lock(&self.known);
        if let Some(endpoint) = known.get(registry) {
            return Ok(Arc::clone(endpoint));
        }
        let (Some(https_origin), Some(http_origin)) = (origin(registry, true), origin(registry, false)) else {
            return refuse(RegistryErrorKind::HostNotFound, "not a host with a port up to 65535");
        };
        let allows_plain_http = (self.insecure || host::is_loopback(&https_origin.host)) && !self.plain_http;
        let https = if self.plain_http { OnceLock::from(false) } else { OnceLock::new() };
        let first_request_is_over = Mutex::default();
        let endpoint =
            Arc::new(Endpoint { https_origin, http_origin, allows_plain_http, https, first_request_is_over });
        known.insert(registry.to_owned(), Arc::clone(&endpoint));
        Ok(endpoint)
    }
}

impl Endpoint {
    /// Lets one thread send the first request to the registry, which finds out the protocol and whether a login is
    /// required. Other threads wait here until the guard is dropped, and get `None`.
    pub(crate) fn begin_or_await_first_request(&self) -> Option<FirstRequestGuard<'_>> {
        let is_over = lock(&self.first_request_is_over);
        if *is_over { None } else { Some(FirstRequestGuard(is_over)) }
    }

    /// How connections can be opened ahead.
    pub(crate) fn preconnect_info(&self) -> PreconnectInfo<'_> {
        let is_tls_certain = self.https.get().copied().unwrap_or(!self.allows_plain_http);
        let may_fail = self.allows_plain_http && self.shares_port();
        let failing_handshakes = usize::from(may_fail && self.https.get() != Some(&true));
        let origin = if self.https.get() == Some(&false) { &self.http_origin } else { &self.https_origin };
        PreconnectInfo { origin, failing_handshakes, is_tls_certain }
    }

    /// Sends a request with the registry's protocol, and finds the protocol out if necessary. This is the only place
    /// that decides it.
    ///
    /// If the peer speaks plain HTTP, the first request stops being exclusive at once: a login is rare there, and would
    /// cost each parallel thread one request.
    ///
    /// `may_be_from_tls_port` says whether a response may be that of a TLS server to plain HTTP on its port. Such a
    /// response proves nothing about a server that did not complete the handshake, being busy for instance.
    pub(crate) fn with_protocol<T>(
        &self,
        first_request: &mut Option<FirstRequestGuard<'_>>,
        attempt: impl Fn(&Origin) -> Result<T, TransportError>,
        may_be_from_tls_port: impl Fn(&T) -> bool,
    ) -> Result<T, TransportError> {
        if let Some(https) = self.https.get() {
            return attempt(self.origin_for(*https));
        }
        let tls_error = match attempt(&self.https_origin) {
            Ok(done) => {
                let _ = self.https.set(true);
                return Ok(done);
            }
            Err(error) => error,
        };
        // An untrusted certificate is never a reason to use plain HTTP. Another thread may have completed a handshake.
        let is_tls = self.https.get() == Some(&true);
        if is_tls || !(self.allows_plain_http && tls_error.symptom.may_speak_plain_http()) {
            return Err(tls_error);
        }
        if tls_error.symptom == Symptom::NotTls {
            let _ = self.https.set(false);
            *first_request = None;
        }
        match attempt(&self.http_origin) {
            Ok(response) => {
                let is_plain = self.https.get() == Some(&false) || !self.shares_port();
                if !is_plain && may_be_from_tls_port(&response) {
                    return Err(tls_error);
                }
                let _ = self.https.set(false);
                Ok(response)
            }
            Err(error) => Err(error.or_tls_error_if_unreachable(tls_error)),
        }
    }

    /// Whether TLS and plain HTTP are expected on the same port.
    fn shares_port(&self) -> bool {
        self.https_origin.port == self.http_origin.port
    }

    /// Whether the registry was found to speak TLS, or nothing was found yet.
    pub(crate) fn is_https_or_unknown(&self) -> bool {
        self.https.get().copied().unwrap_or(true)
    }

    /// The registry's origin, as far as it is known.
    pub(crate) fn registry_origin(&self) -> &Origin {
        self.origin_for(self.is_https_or_unknown())
    }

    fn origin_for(&self, https: bool) -> &Origin {
        if https { &self.https_origin } else { &self.http_origin }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn try_both(insecure: bool, registry: &str, symptom: Symptom) -> (Result<(), RegistryErrorKind>, Vec<bool>) {
        let endpoint = Endpoints::new(insecure, false).get(registry).expect("a good name");
        let tried = RefCell::new(Vec::new());
        let outcome = endpoint.with_protocol(
            &mut None,
            |origin| {
                tried.borrow_mut().push(origin.https);
                if origin.https {
                    Err(TransportError { symptom, ..TransportError::new(RegistryErrorKind::Connect, "") })
                } else {
                    Ok(())
                }
            },
            |()| false,
        );
        (outcome.map_err(|error| error.kind), tried.into_inner())
    }

    #[test]
    fn plain_http_is_tried_only_with_insecure_or_on_loopback() {
        for symptom in [Symptom::NotTls, Symptom::ClosedInHandshake, Symptom::Unreachable] {
            assert_eq!(try_both(true, "h.example:5000", symptom), (Ok(()), vec![true, false]));
            assert_eq!(try_both(false, "127.0.0.1:5000", symptom), (Ok(()), vec![true, false]));
            assert_eq!(try_both(false, "h.example:5000", symptom), (Err(RegistryErrorKind::Connect), vec![true]));
        }
        for symptom in [Symptom::Other, Symptom::NoResponse] {
            assert_eq!(try_both(true, "localhost:5000", symptom), (Err(RegistryErrorKind::Connect), vec![true]));
        }
    }

    #[test]
    fn response_of_a_tls_port_proves_plain_http_only_if_the_peer_has_no_tls() {
        let decide = |name: &str, symptom: Symptom| {
            let endpoint = Endpoints::new(true, false).get(name).expect("a good name");
            let attempt = |origin: &Origin| {
                let error = TransportError { symptom, ..TransportError::new(RegistryErrorKind::Connect, "") };
                if origin.https { Err(error) } else { Ok(400) }
            };
            let outcome = endpoint.with_protocol(&mut None, attempt, |status| *status == 400);
            (outcome.map_err(|error| error.symptom), endpoint.https.get().copied())
        };
        assert_eq!(decide("h:5000", Symptom::NotTls), (Ok(400), Some(false)));
        for symptom in [Symptom::ClosedInHandshake, Symptom::Unreachable] {
            assert_eq!(decide("h:5000", symptom), (Err(symptom), None));
            assert_eq!(decide("h", symptom), (Ok(400), Some(false)), "port 80 is not the port of TLS");
        }
    }

    /// While one thread's handshake fails, another's may succeed.
    #[test]
    fn plain_http_is_not_used_once_another_request_has_completed_a_handshake() {
        for settles_over_tls in [true, false] {
            let endpoint = Endpoints::new(true, false).get("h:5000").expect("a good name");
            let tried = RefCell::new(Vec::new());
            let attempt = |origin: &Origin| {
                tried.borrow_mut().push(origin.https);
                if origin.https == settles_over_tls {
                    let _ = endpoint.https.set(true);
                }
                let symptom = Symptom::ClosedInHandshake;
                let error = TransportError { symptom, ..TransportError::new(RegistryErrorKind::Connect, "") };
                if origin.https { Err(error) } else { Ok(400) }
            };
            let outcome = endpoint.with_protocol(&mut None, attempt, |status| *status == 400);
            assert_eq!(outcome.map_err(|error| error.symptom), Err(Symptom::ClosedInHandshake));
            assert_eq!(tried.into_inner().len(), if settles_over_tls { 1 } else { 2 });
        }
    }

    #[test]
    fn endpoint_remembers_its_protocol() {
        let endpoints = Endpoints::new(true, false);
        let endpoint = endpoints.get("h").expect("a good name");
        let plain_only = |origin: &Origin| {
            let no_tls =
                TransportError { symptom: Symptom::NotTls, ..TransportError::new(RegistryErrorKind::PlainHttp, "") };
            if origin.https { Err(no_tls) } else { Ok(origin.port) }
        };
        assert_eq!(endpoint.with_protocol(&mut None, plain_only, |_| false).ok(), Some(80));
        assert!(!endpoints.get("h").expect("a good name").is_https_or_unknown());
        assert_eq!(endpoint.with_protocol(&mut None, |origin| Ok(origin.https), |_| false).ok(), Some(false));
    }

    #[test]
    fn plain_http_option_never_tries_tls() {
        let endpoint = Endpoints::new(false, true).get("h.example").expect("a good name");
        assert!(!endpoint.is_https_or_unknown());
        let asked = endpoint.with_protocol(&mut None, |origin| Ok(origin.to_string()), |_| false);
        assert_eq!(asked.ok().as_deref(), Some("http://h.example"));
        let ahead = endpoint.preconnect_info();
        assert_eq!(
            (ahead.origin.to_string().as_str(), ahead.failing_handshakes, ahead.is_tls_certain),
            ("http://h.example", 0, false)
        );
    }

    #[test]
    fn preconnections_do_handshakes_only_if_tls_is_certain() {
        let ahead = |insecure, registry, https: Option<bool>| {
            let endpoint = Endpoints::new(insecure, false).get(registry).expect("a good name");
            https.map(|https| endpoint.https.set(https));
            let PreconnectInfo { origin, failing_handshakes, is_tls_certain } = endpoint.preconnect_info();
            (origin.https, failing_handshakes, is_tls_certain)
        };
        assert_eq!(ahead(false, "h.example:5000", None), (true, 0, true));
        assert_eq!(ahead(true, "h.example:5000", None), (true, 1, false));
        assert_eq!(ahead(true, "h.example", None), (true, 0, false), "the handshake that fails is on another port");
        assert_eq!(ahead(false, "127.0.0.1:5000", None), (true, 1, false));
        assert_eq!(ahead(false, "127.0.0.1:5000", Some(true)), (true, 0, true));
        assert_eq!(ahead(false, "127.0.0.1:5000", Some(false)), (false, 1, false));
    }

    #[test]
    fn protocol_probe_ends_even_if_its_request_fails() {
        let endpoint = Endpoints::new(false, false).get("h").expect("a good name");
        let mut first_request = endpoint.begin_or_await_first_request();
        assert!(first_request.is_some());
        let fails = |_: &Origin| Err::<(), _>(TransportError::new(RegistryErrorKind::Timeout, ""));
        assert!(endpoint.with_protocol(&mut first_request, fails, |()| false).is_err());
        assert!(first_request.is_some(), "it lasts until the exchange is over");
        drop(first_request);
        assert!(endpoint.begin_or_await_first_request().is_none(), "no thread waits for the next request");
    }

    #[test]
    fn endpoint_refuses_names_without_a_valid_host() {
        for name in ["", "h:99999", "[1:2]", "[fffff::1]:5"] {
            assert_eq!(
                Endpoints::new(false, false).get(name).map(|_| ()).map_err(|e| e.kind),
                Err(if name.is_empty() { RegistryErrorKind::NoHost } else { RegistryErrorKind::HostNotFound }),
                "{name}"
            );
        }
        assert_eq!(origin("docker.io", true).map(|o| o.authority()).as_deref(), Some("registry-1.docker.io"));
    }
}
