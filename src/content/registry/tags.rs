//! The tags of a repository (distribution-spec, "Listing Tags").

use serde::Deserialize;

use crate::auth::scope::Access;
use crate::content::registry::client::RegistryClient;
use crate::content::registry::request::ApiRequest;
use crate::model::json;
use crate::net::error::RegistryError;
use crate::reference::Repository;

/// The maximum size of one page of a list of tags, in bytes.
const PAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The maximum number of tags in a list.
const TAG_COUNT_MAX: usize = 1_000_000;
/// The maximum number of pages of a list of tags.
const PAGES_MAX: usize = 10_000;

impl RegistryClient {
    /// The tags of a repository, in the registry's order. One request per page.
    ///
    /// # Errors
    /// [`NotFound`](crate::net::error::RegistryErrorKind::NotFound) for an unknown repository; a list that is invalid,
    /// too long or endless.
    pub fn tags(&self, repository: &Repository) -> Result<Vec<String>, RegistryError> {
        let request = ApiRequest {
            headers: &[("Accept", "application/json")],
            response_max: PAGE_BYTES_MAX,
            ..ApiRequest::new("GET", repository, "tags/list", Access::Pull)
        };
        let first = self.session.send(&request)?;
        let mut tags = Vec::new();
        self.read_pages(&request, first, "a list of tags", PAGES_MAX, |response| {
            let body = &response.http.body;
            let page: TagPage = json::check_value_count(body)
                .and_then(|()| serde_json::from_slice(body))
                .map_err(|error| response.http.redact(&error.to_string()))
                .map_err(|reason| response.protocol_error(format!("a list of tags that cannot be read: {reason}")))?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > TAG_COUNT_MAX {
                return Err(response.protocol_error(format!("a list of more than {TAG_COUNT_MAX} tags")));
            }
            Ok(())
        })?;
        Ok(tags)
    }
}

/// The body of a list of tags. A repository without tags has `null`.
#[derive(Deserialize)]
struct TagPage {
    tags: Option<Vec<String>>,
}
