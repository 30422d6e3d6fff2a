//! Habits: behaviour of real registries that others do not have. Each is a switch of the builder, and off by
//! default.

mod limits;
mod manifests;
mod pruning;
mod tags;

pub(crate) use manifests::{PutsInFlight, RefusalCounts};

use super::Builder;
use super::http::{Head, Response};
use crate::image::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

/// How this registry differs from the distribution spec's letter, or from docker-registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Habits {
    pub(crate) serves_tls: bool,
    pub(crate) no_mounts: bool,
    pub(crate) referrers: Referrers,
    pub(crate) relative_locations: bool,
    pub(crate) page_limit: Option<usize>,
    pub(crate) absolute_links: bool,
    pub(crate) no_digest_header: bool,
    pub(crate) other_digest: bool,
    pub(crate) chunk_min_length: Option<u64>,
    pub(crate) hides_repositories_from: HidesFrom,
    pub(crate) refused: Vec<(&'static str, u16)>,
    pub(crate) any_media_type: bool,
    pub(crate) no_nested_indexes: bool,
    pub(crate) no_deletion: bool,
    pub(crate) no_ranges: bool,
    pub(crate) loses_broken_uploads: bool,
    pub(crate) discard_above: Option<u64>,
    pub(crate) canonical_blob_digests: bool,
    pub(crate) denies_cross_repository_mounts: bool,
    pub(crate) https_locations: bool,
    pub(crate) reasons_in_detail: bool,
    pub(crate) limits: limits::Limits,
    pub(crate) manifests: manifests::Manifests,
    pub(crate) tags: tags::Tags,
}

/// What it knows of referrers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Referrers {
    #[default]
    Served,
    Missing,
    Html,
}

/// From whom it hides what there is, with a 404 in place of the 401.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HidesFrom {
    #[default]
    Nobody,
    /// Clients with credentials.
    Authenticated,
    /// Everybody: only `/v2/` sends the challenge.
    All,
}

impl Habits {
    /// Takes out of an answer what this registry does not say, or says otherwise.
    pub(crate) fn apply(&self, head: &Head, response: &mut Response) {
        const DIGEST: &str = "Docker-Content-Digest";
        if self.other_digest && head.method == "PUT" && response.status == 201 && head.path().contains("/manifests/") {
            response.set(DIGEST, &format!("sha256:{}", "0".repeat(64)));
        }
        if self.no_digest_header {
            response.unset(DIGEST);
        }
        if self.reasons_in_detail && response.status >= 400 {
            limits::reason_in_detail(response);
        }
    }

    /// The status with which it refuses manifests of this type.
    pub(crate) fn refuses(&self, media_type: &str) -> Option<u16> {
        self.refused.iter().find(|(refused, _)| *refused == media_type).map(|(_, status)| *status)
    }
}

impl Builder {
    /// Every mount falls to an upload (202).
    pub fn without_mounts(mut self) -> Builder {
        self.habits.no_mounts = true;
        self
    }

    /// Knows nothing of referrers: 404, and no `OCI-Subject`.
    pub fn without_referrers(mut self) -> Builder {
        self.habits.referrers = Referrers::Missing;
        self
    }

    /// Answers a question for referrers with 200 and a web page, as a registry does behind a site that catches
    /// every path; no `OCI-Subject`.
    pub fn referrers_as_html(mut self) -> Builder {
        self.habits.referrers = Referrers::Html;
        self
    }

    /// Locations are paths, without scheme and host.
    pub fn relative_locations(mut self) -> Builder {
        self.habits.relative_locations = true;
        self
    }

    /// Lists at most so many tags at once, whatever is asked; the rest by `Link`.
    pub fn page_limit(mut self, tags: usize) -> Builder {
        self.habits.page_limit = Some(tags);
        self
    }

    /// The `Link` to the next page has scheme and host.
    pub fn absolute_links(mut self) -> Builder {
        self.habits.absolute_links = true;
        self
    }

    /// Never says `Docker-Content-Digest`.
    pub fn without_digest_header(mut self) -> Builder {
        self.habits.no_digest_header = true;
        self
    }

    /// Takes manifests with 201 and the digest of something else.
    pub fn other_digest_on_put(mut self) -> Builder {
        self.habits.other_digest = true;
        self
    }

    /// Says `OCI-Chunk-Min-Length` when an upload begins, and takes nothing more after a chunk of fewer bytes.
    pub fn chunk_min_length(mut self, bytes: u64) -> Builder {
        self.habits.chunk_min_length = Some(bytes);
        self
    }

    /// 404 `NAME_UNKNOWN` where credentials were shown that are not enough; without any it is the usual 401.
    pub fn hides_repositories_from_authenticated(mut self) -> Builder {
        self.habits.hides_repositories_from = HidesFrom::Authenticated;
        self
    }

    /// 404 `NAME_UNKNOWN` in place of every 401, but for `/v2/` itself: only that sends the challenge.
    pub fn hides_repositories_from_all(mut self) -> Builder {
        self.habits.hides_repositories_from = HidesFrom::All;
        self
    }

    /// Refuses OCI images and indexes with this status (415 or 400, say) and `MANIFEST_INVALID`.
    pub fn without_oci(self, status: u16) -> Builder {
        self.refuse(&[OCI_MANIFEST, OCI_INDEX], status)
    }

    /// Refuses Docker images and lists likewise.
    pub fn without_docker(self, status: u16) -> Builder {
        self.refuse(&[DOCKER_MANIFEST, DOCKER_LIST], status)
    }

    /// Refuses lists and indexes likewise, and takes images.
    pub fn without_lists(self, status: u16) -> Builder {
        self.refuse(&[DOCKER_LIST, OCI_INDEX], status)
    }

    fn refuse(mut self, types: &[&'static str], status: u16) -> Builder {
        self.habits.refused.extend(types.iter().map(|media_type| (*media_type, status)));
        self
    }

    /// Takes manifests of any media type, where most take images and lists alone.
    pub fn takes_any_media_type(mut self) -> Builder {
        self.habits.any_media_type = true;
        self
    }

    /// Refuses indexes that list an index, with 400 `MANIFEST_INVALID`.
    pub fn without_nested_indexes(mut self) -> Builder {
        self.habits.no_nested_indexes = true;
        self
    }

    /// Deletes nothing: 405 `UNSUPPORTED`. Uploads can be cancelled all the same.
    pub fn without_deletion(mut self) -> Builder {
        self.habits.no_deletion = true;
        self
    }

    /// Gives blobs out whole (200), whatever part was asked for.
    pub fn without_ranges(mut self) -> Builder {
        self.habits.no_ranges = true;
        self
    }

    /// Knows an upload no more (404 `BLOB_UPLOAD_INVALID`) once a connection broke while it was fed, as docker-registry
    /// 2.8 does: its `_state` holds the offset, which the client does not know.
    pub fn loses_broken_uploads(mut self) -> Builder {
        self.habits.loses_broken_uploads = true;
        self
    }

    /// Hashes blobs of more than so many bytes and discards them: HEAD and mount work, GET does not.
    pub fn discard_above(mut self, bytes: u64) -> Builder {
        self.habits.discard_above = Some(bytes);
        self
    }

    /// Calls a blob by its sha256 digest, by whatever digest it was uploaded or asked for.
    pub fn canonical_blob_digests(mut self) -> Builder {
        self.habits.canonical_blob_digests = true;
        self
    }

    /// Answers a mount from another repository with 401, as Harbor does between projects.
    pub fn denies_cross_repository_mounts(mut self) -> Builder {
        self.habits.denies_cross_repository_mounts = true;
        self
    }

    /// Locations begin with https:// though it speaks plain HTTP, as behind a proxy that it misunderstands.
    pub fn https_locations(mut self) -> Builder {
        self.habits.https_locations = true;
        self
    }
}
