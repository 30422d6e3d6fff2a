//! Limits of a registry, or of the proxy before it, on one request.

use serde_json::{Value, json};

use super::super::Builder;
use super::super::http::{Head, Response};
use super::super::route::Route;

/// What it has limits for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    uri: Option<usize>,
    headers: Option<usize>,
    manifest: Option<(usize, u16)>,
    page: Option<(usize, usize)>,
    read_only: bool,
}

impl Limits {
    /// The refusal of a request that is too much.
    pub(crate) fn refuse(&self, head: &Head, body: usize) -> Option<Response> {
        let page = |status: u16, title: &str| {
            Response::new(status)
                .body("text/html", format!("<html><head><title>{status} {title}</title></head></html>"))
        };
        if self.uri.is_some_and(|most| head.target.len() > most) {
            return Some(page(414, "Request-URI Too Large"));
        }
        let size: usize = head.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        if self.headers.is_some_and(|most| size > most) {
            return Some(page(400, "Request Header Or Cookie Too Large"));
        }
        if self.read_only && !matches!(head.method.as_str(), "GET" | "HEAD") {
            return Some(Response::new(405).body("text/plain; charset=utf-8", "Method not allowed\n"));
        }
        let route = Route::parse(head.path());
        if let (Some((most, status)), "PUT", Route::Manifest { .. }) = (self.manifest, head.method.as_str(), &route)
            && body > most
        {
            let detail = json!("http: request body too large");
            return Some(Response::error(status, "MANIFEST_INVALID", "manifest invalid", detail));
        }
        let requested = head.query("n").first().and_then(|n| n.parse::<usize>().ok());
        if let (Some((least, most)), Some(n), Route::Tags { .. }) = (self.page, requested, route)
            && !(least..=most).contains(&n)
        {
            let message = "invalid number of results requested";
            return Some(Response::error(400, "PAGINATION_NUMBER_INVALID", message, json!({ "n": n })));
        }
        None
    }
}

/// One error of another form: what it was about stands in `detail` alone.
pub(crate) fn reason_in_detail(response: &mut Response) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&response.body) else { return };
    for error in body["errors"].as_array_mut().into_iter().flatten() {
        let message = match error["detail"].as_str() {
            Some(detail) => format!("{}: {detail}", error["message"].as_str().unwrap_or_default()),
            None => error["message"].as_str().unwrap_or_default().to_owned(),
        };
        let code = error["code"].as_str().unwrap_or_default().to_lowercase().replace('_', " ");
        (error["message"], error["detail"]) = (code.into(), json!({ "message": message }));
    }
    response.body = body.to_string().into_bytes();
}

impl Builder {
    /// 414 for a path and query of more bytes, as nginx has it by default with 8 KiB.
    pub fn uri_limit(mut self, bytes: usize) -> Builder {
        self.habits.limits.uri = Some(bytes);
        self
    }

    /// 400 with a page for headers of more bytes, as nginx has it by default with 8 KiB a line.
    pub fn headers_limit(mut self, bytes: usize) -> Builder {
        self.habits.limits.headers = Some(bytes);
        self
    }

    /// Refuses manifests of more bytes with this status and `MANIFEST_INVALID` (docker-registry: 4 MiB, 400).
    pub fn manifest_limit(mut self, bytes: usize, status: u16) -> Builder {
        self.habits.limits.manifest = Some((bytes, status));
        self
    }

    /// 400 `PAGINATION_NUMBER_INVALID` for pages of fewer or more tags.
    pub fn page_sizes(mut self, least: usize, most: usize) -> Builder {
        self.habits.limits.page = Some((least, most));
        self
    }

    /// 405 in plain text for all that writes, as docker-registry says while it is maintained.
    pub fn read_only(mut self) -> Builder {
        self.habits.limits.read_only = true;
        self
    }

    /// Says in `detail` alone what is wrong, and in `message` no more than the code, as Quay does.
    pub fn reasons_in_detail(mut self) -> Builder {
        self.habits.reasons_in_detail = true;
        self
    }
}
