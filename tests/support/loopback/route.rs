//! The paths of the distribution spec, taken apart.

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Base,
    Manifest { repo: String, reference: String },
    Blob { repo: String, digest: String },
    Uploads { repo: String },
    Upload { repo: String, id: String },
    Tags { repo: String },
    Referrers { repo: String, digest: String },
    Unknown,
}

impl Route {
    /// Takes a path without its query apart.
    pub(crate) fn parse(path: &str) -> Route {
        let Some(rest) = path.strip_prefix("/v2") else { return Route::Unknown };
        let Some(rest) = rest.strip_prefix('/').filter(|rest| !rest.is_empty()) else { return Route::Base };
        let owned = str::to_owned;
        if let Some(repo) = rest.strip_suffix("/tags/list") {
            return Route::Tags { repo: repo.into() };
        }
        if let Some(repo) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
            return Route::Uploads { repo: repo.into() };
        }
        let Some((before, last)) = rest.rsplit_once('/') else { return Route::Unknown };
        let last = last.replace("%3A", ":");
        if let Some(repo) = before.strip_suffix("/blobs/uploads") {
            Route::Upload { repo: owned(repo), id: last }
        } else if let Some(repo) = before.strip_suffix("/manifests") {
            Route::Manifest { repo: owned(repo), reference: last }
        } else if let Some(repo) = before.strip_suffix("/blobs") {
            Route::Blob { repo: owned(repo), digest: last }
        } else if let Some(repo) = before.strip_suffix("/referrers") {
            Route::Referrers { repo: owned(repo), digest: last }
        } else {
            Route::Unknown
        }
    }

    /// The repository that the path is about.
    pub(crate) fn repo(&self) -> Option<&str> {
        match self {
            Route::Base | Route::Unknown => None,
            Route::Manifest { repo, .. }
            | Route::Blob { repo, .. }
            | Route::Uploads { repo }
            | Route::Upload { repo, .. }
            | Route::Tags { repo }
            | Route::Referrers { repo, .. } => Some(repo),
        }
    }
}
