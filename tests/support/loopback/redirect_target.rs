//! A server that redirects lead to: it serves given bytes at given paths and records its requests, so that a test
//! can see that credentials do not follow to another host or port.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use super::http::{Connection, Head, Response};
use super::lock;
use super::record::{RecordedRequest, RequestLog};
use super::serve::{AfterResponse, Handler, Server};

type Pages = Arc<Mutex<BTreeMap<String, (String, Vec<u8>)>>>;

/// A server that is no registry, such as a registry's CDN.
pub struct RedirectTarget {
    pages: Pages,
    log: Arc<RequestLog>,
    server: Server,
}

impl RedirectTarget {
    /// Starts one on a free port of 127.0.0.1, plain HTTP.
    pub fn start() -> RedirectTarget {
        RedirectTarget::launch(None)
    }

    /// Starts one over TLS.
    pub fn start_tls(config: Arc<ServerConfig>) -> RedirectTarget {
        RedirectTarget::launch(Some(config))
    }

    fn launch(tls: Option<Arc<ServerConfig>>) -> RedirectTarget {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let (pages, log) = (Pages::default(), Arc::<RequestLog>::default());
        let (answers, recorded) = (Arc::clone(&pages), Arc::clone(&log));
        let handler: Arc<Handler> = Arc::new(move |connection: &mut Connection, head: Head| {
            let serial = recorded.record_arrival(&head, connection);
            connection.read_body(&head, u64::MAX, |bytes| recorded.record_body(serial, bytes))?;
            let response = match lock(&answers).get(&head.target) {
                Some((media_type, bytes)) => Response::new(200).body(media_type, bytes.clone()),
                None => Response::new(404).body("text/plain", "nothing here\n"),
            };
            recorded.record_status(serial, response.status);
            connection.respond(&head, &response)?;
            Ok(if head.keep_alive { AfterResponse::KeepAlive } else { AfterResponse::Close })
        });
        RedirectTarget { pages, server: Server::start(listener, tls, usize::MAX, Arc::clone(&log), handler), log }
    }

    /// Serves these bytes at this path (with its query, if it has one).
    pub fn serve(&self, path: &str, media_type: &str, bytes: impl AsRef<[u8]>) {
        lock(&self.pages).insert(path.into(), (media_type.into(), bytes.as_ref().to_vec()));
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.server.addr().to_string()
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.log.requests()
    }
}
