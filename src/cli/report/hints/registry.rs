//! Hints about requests to registries.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::reference;
use crate::model::media_type;
use crate::net::{ContactedServer, RegistryError, RegistryErrorKind as Kind, ServerNamedBy, certs_d_name};

/// Hints about a manifest that a registry does not have.
pub(super) fn not_served(reference: &str, error: &RegistryError) -> Vec<String> {
    let request = error.request.as_ref();
    let path = request.and_then(|request| request.repository.as_deref()).unwrap_or_default();
    let other = reference::misread_reference(&error.registry, path);
    let has_both =
        reference.split_once('@').is_some_and(|(name, _)| name.rsplit('/').next().unwrap_or(name).contains(':'));
    let moved = has_both.then(|| reference::tag_moved(reference));
    vec![other.or(moved).unwrap_or_else(|| private_hint(&error.registry))]
}

/// Hints about a published list that a registry does not have.
pub(super) fn no_list(list: &str, may_be_hidden: bool, error: &RegistryError) -> Vec<String> {
    let path = error.request.as_ref().and_then(|request| request.repository.as_deref()).unwrap_or_default();
    if let Some(other) = reference::misread_reference(&error.registry, path) {
        return vec![other];
    }
    let new = format!("publish a new list with: create --push {list} IMAGE…");
    std::iter::once(new).chain(may_be_hidden.then(|| private_hint(&error.registry))).collect()
}

/// The hint about what a registry may hide from a user who is not logged in.
fn private_hint(registry: &str) -> String {
    format!("check the name; if it is private, log in first with: docker login {registry}")
}

/// Error codes (distribution-spec, "Error Codes") that do not mean an unsupported media type.
const CODES_NOT_ABOUT_MEDIA_TYPES: [&str; 18] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_UNKNOWN",
    "MANIFEST_UNVERIFIED",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "PAGINATION_NUMBER_INVALID",
    "RANGE_INVALID",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "UNKNOWN",
];

/// Whether a registry may have refused a manifest because of its media type.
fn may_be_media_type(media_type: &str, error: &RegistryError) -> bool {
    let has = |codes: &[&str]| error.codes().iter().any(|code| codes.contains(&code.as_str()));
    if error.kind != Kind::RequestRefused || has(&CODES_NOT_ABOUT_MEDIA_TYPES) {
        return false;
    }
    match error.status {
        Some(415) => true,
        Some(405) => [media_type::OCI_INDEX, media_type::DOCKER_LIST].contains(&media_type),
        // No code, or an unknown one.
        Some(400 | 406 | 422) => true,
        _ => has(&["MANIFEST_INVALID", "UNSUPPORTED"]),
    }
}

/// The hint about a body that is too large.
const TOO_LARGE_HINT: &str =
    "the registry, or a proxy in front of it, accepts no body of this size; a manifest has 4 MiB at most";

/// Whether the registry's message contains one of these words, given in lower case.
fn message_contains(error: &RegistryError, words: &[&str]) -> bool {
    let detail = error.body.as_ref().and_then(|body| body.detail.as_deref()).unwrap_or_default();
    let text = format!("{} {detail}", error.message).to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Whether a registry may have refused a manifest because the tag is immutable. There is no code for it: ECR answers
/// 400 or 409, Harbor 412, others 403, and Nexus says that assets may not be updated.
fn may_be_immutable_tag(error: &RegistryError) -> bool {
    let tag = error.request.as_ref().and_then(|request| request.reference.as_deref());
    tag.is_some_and(|tag| !tag.contains(':'))
        && (matches!(error.status, Some(409 | 412))
            || message_contains(error, &["immutab", "overwrit", "not allow updating"]))
}

/// Hints about a manifest that a registry refused.
pub(super) fn refused_manifest(media_type: &str, error: &RegistryError, certs_d: &Path) -> Vec<String> {
    let has = |code: &str| error.codes().iter().any(|known| known == code);
    let hint = match (error.kind, error.status) {
        _ if has("MANIFEST_BLOB_UNKNOWN") || has("BLOB_UNKNOWN") || has("MANIFEST_UNKNOWN") => {
            "the repository does not have all that the manifest names: push that again, or remove it from the list; \
             push --dry-run says what is missing"
        }
        _ if may_be_immutable_tag(error) => {
            "the registry may not let this tag move: choose another tag, or have its immutability rule changed"
        }
        _ if has("TAG_INVALID") => "the registry may not allow this tag, or may not allow it to move",
        (Kind::RequestRefused, Some(413)) => TOO_LARGE_HINT,
        (Kind::RequestRefused, _) if message_contains(error, &["too large"]) => TOO_LARGE_HINT,
        (Kind::RequestRefused, _) if may_be_media_type(media_type, error) => {
            let other_format = match media_type {
                media_type::OCI_INDEX => "publish a Docker manifest list instead with --type docker",
                media_type::DOCKER_LIST => "publish an OCI image index instead with --type oci",
                media_type::OCI_MANIFEST => {
                    "build the image in Docker's (buildx: --output type=image,push=true,oci-mediatypes=false)"
                }
                media_type::DOCKER_MANIFEST => {
                    "build the image in OCI's (buildx: --output type=image,push=true,oci-mediatypes=true)"
                }
                _ => return failed_request(error, certs_d),
            };
            &format!("if the registry refuses this format, {other_format}")
        }
        (Kind::Verification, _) => {
            "the registry changes manifests that are pushed to it; do not trust what it now serves under that name"
        }
        _ => return failed_request(error, certs_d),
    };
    let more = if error.status == Some(405) { failed_request(error, certs_d) } else { Vec::new() };
    more.into_iter().chain([hint.to_owned()]).collect()
}

/// Hints about a failed request.
pub(super) fn failed_request(error: &RegistryError, certs_d: &Path) -> Vec<String> {
    let registry = &error.registry;
    let named_server = error.contacted_server().filter(|server| server.is_named_in_response());
    let path = error.request.as_ref().and_then(|request| request.repository.as_deref()).unwrap_or_default();
    // Docker Hub requires a login for a repository that does not exist. Where there is no network, it may be none that
    // was meant.
    let is_denied = matches!(error.kind, Kind::Unauthorized | Kind::LoginRefused | Kind::Forbidden | Kind::NotFound);
    let is_offline = matches!(error.kind, Kind::Connect | Kind::HostNotFound | Kind::Timeout);
    if (is_denied || is_offline)
        && let Some(hint) = reference::misread_reference(registry, path)
    {
        return vec![hint];
    }
    // The server with the untrusted certificate may be another one than the registry.
    let host = named_server.and_then(|server| Some(server.origin.split_once("://")?.1)).unwrap_or(registry);
    let directory = certs_d.join(host);
    let directory = directory.display();
    if let (Kind::Connect | Kind::HostNotFound | Kind::Timeout | Kind::PlainHttp, Some(server)) =
        (error.kind, named_server)
    {
        return vec![unreachable_named_server(registry, server)];
    }
    let hint = match error.kind {
        Kind::NoHost => reference::UNDERSCORE_HINT.into(),
        Kind::Quota => format!("delete unused images from {registry}, or have the quota raised"),
        Kind::ByteOrderMark => "config.json begins with a byte order mark (BOM): save it as UTF-8 without one".into(),
        Kind::ResponseTooLarge if error.request.as_ref().is_some_and(|request| request.reference.is_some()) => {
            "a manifest has 4 MiB at most, for docker and most registries: put what it lists into several lists".into()
        }
        Kind::ResponseTooLarge => return Vec::new(),
        Kind::Proxy if error.status == Some(407) => {
            "the proxy requires a login: set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (HTTP_PROXY for plain HTTP)"
                .into()
        }
        Kind::RequestRefused if error.status == Some(405) && error.is_write() => {
            format!(
                "{registry} may be read-only, as a mirror or a pull-through cache is: push to the registry behind it"
            )
        }
        Kind::RequestRefused if error.status == Some(413) => TOO_LARGE_HINT.into(),

        // Some registries answer this instead of 401 or 403, and some require that a repository is created first.
        Kind::NotFound if error.is_write() => format!(
            "the repository may be private or may not exist yet: log in with docker login {registry}, or \
             have it created first"
        ),
        Kind::NotFound => return Vec::new(),
        Kind::Unauthorized => format!("log in with: docker login {registry}"),
        Kind::LoginRefused => format!("log in again with: docker login {registry}"),
        Kind::CommandLineLoginRefused => "check --username, and the password that goes with it".into(),
        // Artifactory, for example.
        Kind::Forbidden if !error.is_write() => format!(
            "check the name: some registries answer this for a name that does not exist; otherwise the account \
             that is logged in may not read it: docker login {registry}"
        ),
        Kind::Forbidden => {
            format!(
                "the account that is logged in may not do this; log in to another one with: docker login {registry}"
            )
        }
        Kind::RateLimited => "wait, then try again; a login usually raises the limit".into(),
        Kind::PlainHttp => "add --insecure if you trust the network to the registry".into(),
        // certs.d is not opened for this host.
        Kind::CertificateUntrusted if certs_d_name(host).is_none() => {
            "name the authority's certificate in SSL_CERT_FILE, or add --insecure to skip the check".into()
        }
        Kind::CertificateUntrusted => match first_crt_if_none_valid(&certs_d.join(host)) {
            Some(file) => format!(
                "{} holds no certificate: put the authority's into it, in PEM form (-----BEGIN CERTIFICATE-----), or \
                 add --insecure to skip the check",
                file.display()
            ),
            None => {
                format!("put the authority's certificate into {directory}/ca.crt, or add --insecure to skip the check")
            }
        },
        Kind::CertificateInvalid => {
            "call the registry by a name that its certificate is for, have the certificate renewed, or add \
             --insecure to skip the check"
                .into()
        }
        Kind::ClientCertificate if certs_d_name(host).is_none() => format!(
            "docker and docker-manifest use no client certificates for {host}: call the registry by another name, \
             and put the pair into that name's directory in {}",
            certs_d.display()
        ),
        Kind::ClientCertificate => {
            format!("put the pair into {directory}/ as client.cert and client.key")
        }
        Kind::HostNotFound => "check the name for typing errors, and the network".into(),
        Kind::Connect => format!("check that {registry} is up and that this machine may reach it"),
        Kind::Timeout => format!(
            "check that {registry} is up and that this machine may reach it, or give it more time with --timeout"
        ),
        Kind::Proxy => "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY".into(),
        Kind::Credentials => format!("fix it, or log in again with: docker login {registry}"),
        Kind::Verification => {
            "something between this machine and the registry changes the content, the registry is broken, or \
             the image was pushed with a wrong size; nothing was stored"
                .into()
        }
        Kind::Server => "the registry failed; try again later".into(),
        Kind::Protocol => {
            format!("check that {registry} is a registry, and that no proxy or sign-in page answers in its place")
        }
        Kind::TlsFiles | Kind::RequestRefused => return Vec::new(),
    };
    vec![hint]
}

/// The hint about a server that a registry named and that does not answer.
fn unreachable_named_server(registry: &str, server: &ContactedServer) -> String {
    match server.named_by {
        ServerNamedBy::UploadLocation | ServerNamedBy::NextPageLink => format!(
            "{registry} gave that address: it, or a proxy before it, does not know by which scheme, host and port it \
             is called (the Host and X-Forwarded-Proto headers)"
        ),
        ServerNamedBy::Challenge => {
            format!("{registry} uses that server for logins: check that it is up and that this machine may reach it")
        }
        _ => format!("{registry} named that address: check that this machine may reach that address"),
    }
}

/// The first `*.crt` of a registry's directory, if none of these files contains a certificate: they are ignored, as in
/// docker, so no error has named them.
fn first_crt_if_none_valid(directory: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "crt")).collect();
    files.sort();
    if files.iter().any(|file| holds_certificate(file)) { None } else { files.into_iter().next() }
}

/// Whether a file contains a certificate that could be an authority's. A file that cannot be read counts as one.
fn holds_certificate(file: &Path) -> bool {
    let Ok(bytes) = fs::read(file) else { return true };
    let mut certificates = CertificateDer::pem_slice_iter(&bytes).flatten();
    certificates.any(|certificate| RootCertStore::empty().add(certificate).is_ok())
}
