//! The pages of a list: each response names the next page in its `Link` header (RFC 8288).

use std::collections::BTreeSet;

use crate::content::registry::client::RegistryClient;
use crate::content::registry::request::{ApiRequest, ApiResponse};
use crate::net::error::{RegistryError, ServerNamedBy};

impl RegistryClient {
    /// Reads all pages of a list, of which `response` is the first; there must not be more than `pages_max`.
    pub(super) fn read_pages(
        &self,
        request: &ApiRequest<'_>,
        mut response: ApiResponse,
        list: &str,
        pages_max: usize,
        mut read: impl FnMut(&ApiResponse) -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let mut seen = BTreeSet::new();
        loop {
            read(&response)?;
            let links: Vec<_> = response.http.header_values("Link").collect();
            let Some(next) = links.iter().flat_map(|link| next_links(link)).next() else { return Ok(()) };
            let unusable =
                |reason| response.protocol_error(format!("a Link to its next page that is unusable: {reason}"));
            let next = self.session.resolve_location(&response, next).map_err(unusable)?;
            if seen.len() >= pages_max || !seen.insert(next.reveal()) {
                return Err(response.protocol_error(format!("{list} without an end, after {} pages", seen.len())));
            }
            response = self.session.send_at(request, &next, ServerNamedBy::NextPageLink)?;
        }
    }
}

/// The targets of a `Link` header (RFC 8288) with the relation `next`.
pub(crate) fn next_links(value: &str) -> impl Iterator<Item = &str> {
    // A target may contain commas, so the angle brackets separate the parts.
    value.split('<').skip(1).filter_map(|part| {
        let (target, parameters) = part.split_once('>')?;
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let mut relations = value.trim().trim_matches('"').split_whitespace();
            name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        is_next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_header_names_the_next_page() {
        for (value, expected) in [
            ("</v2/a/tags/list?last=x&n=2>; rel=\"next\"", Some("/v2/a/tags/list?last=x&n=2")),
            ("<https://h/a,b>;rel=next", Some("https://h/a,b")),
            ("</first>; rel=\"first\", </b>; title=\"x\"; REL=\"Next last\"", Some("/b")),
            ("</first>; rel=\"first\"", None),
            ("</a>", None),
            ("nonsense", None),
            ("</a; rel=\"next\"", None),
        ] {
            assert_eq!(next_links(value).next(), expected, "{value}");
        }
    }
}
