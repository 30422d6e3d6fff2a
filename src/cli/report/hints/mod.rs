//! What to do next: advice for those failures where there is some.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::reference;
use crate::cli::args::Near;
use crate::core::error::{CommandError, SpecOrigin};
use crate::core::missing_child::NamedBy;
use crate::drafts::docker_dir::StoreError;
use crate::model::{DocumentError, media_type};
use crate::net::{Address, AddressSource, RegistryError, RegistryErrorKind, certs_d_name};

/// What a word that nobody knows was probably meant to be.
pub(super) fn meant(near: &Near) -> String {
    match near {
        Near::Word(word) => format!("did you mean '{word}'?"),
        Near::Elsewhere { flag, verbs, before_verb } => {
            let place = if *before_verb { "; it goes behind the command" } else { "" };
            format!("'{flag}' is a flag of {}{place}", verbs.join(", "))
        }
    }
}

/// Advice for one failure; `certificates` is the folder that certificates for registries are read from.
pub(super) fn hints(error: &CommandError, certificates: &Path) -> Vec<String> {
    match error {
        CommandError::Typed { typed, .. }
        | CommandError::CreateListName { typed, .. }
        | CommandError::AnnotateListName { typed, .. }
        | CommandError::AnnotateImageName { typed, .. } => reference::typed(typed),
        CommandError::Exists { list } => {
            vec![format!("{list} is a draft already: add --amend to add to it, or --replace to start it over")]
        }
        CommandError::NotInList { near: Some(near), .. } | CommandError::NotStoredIn { near: Some(near), .. } => {
            vec![format!("did you mean '{near}'?")]
        }
        CommandError::NotInList { list, drafted: true, .. } | CommandError::NotStoredIn { list, .. } => {
            vec![format!("inspect {list} shows what is in it")]
        }
        CommandError::NotInList { list, drafted: false, .. } => {
            vec![format!("there is no draft {list}: make it with create first")]
        }
        CommandError::Platform { near, .. } if !near.is_empty() => {
            vec![format!("did you mean '{}'? --force sets any other pair", near.join(" "))]
        }
        CommandError::Platform { .. } => {
            let pair = "use a pair of names that Go has, for example: --os linux --arch amd64";
            vec![format!("{pair}; --force sets any other")]
        }
        CommandError::Empty(list) => vec![format!("the draft has no images (any more): put some in with add {list} …")],
        CommandError::NotStored(_) => {
            vec!["a draft is made with create, and lives until rm or push --purge".to_owned()]
        }
        CommandError::IsList(reference) => {
            vec![format!("inspect {reference} shows its images: name them, as REPOSITORY@DIGEST")]
        }
        CommandError::NoSuchPlatform { there, .. } if there.is_empty() => {
            vec!["nothing there says what it runs on".to_owned()]
        }
        CommandError::NoSuchPlatform { there, .. } => vec![format!("there is: {}", there.join(", "))],
        CommandError::TooDeep { .. } | CommandError::TooMany { .. } | CommandError::TooLarge { .. } => {
            vec!["name the images that are wanted, as REPOSITORY@DIGEST".to_owned()]
        }
        CommandError::Ambiguous { .. } => vec!["give more digits".to_owned()],
        CommandError::SeveralImages { .. } => {
            vec!["name one of them by its reference, its digest or its platform".to_owned()]
        }
        CommandError::NotMounted { sources, source, .. } if !source.is_write() => vec![gone(sources)],
        CommandError::NotMounted { source, .. } => registry_hints(source, certificates),
        CommandError::Copy { sources, source, .. }
            if source.kind == RegistryErrorKind::NotFound && !source.is_write() =>
        {
            vec![gone(sources)]
        }
        CommandError::Copy { source, .. } => registry_hints(source, certificates),
        CommandError::MissingChild(missing) if missing.named_by == NamedBy::Published => {
            vec![
                "push that image again, or name the platforms that you want with --platform (in a file: platform)"
                    .to_owned(),
            ]
        }
        CommandError::Gone { .. } | CommandError::MissingChild(_) => {
            vec!["push the image there again, or take it out of the list".to_owned()]
        }
        CommandError::Twice { made: SpecOrigin::Draft, .. } => {
            vec!["take out what is too much with remove, or tell the images apart with annotate".to_owned()]
        }
        CommandError::Twice { made: SpecOrigin::File, .. } => {
            vec!["take out what is too much in the file, or tell the images apart there by their platform".to_owned()]
        }
        CommandError::Twice { made: SpecOrigin::Flags, .. } => {
            vec!["name each platform once in --platforms, or tell the images apart in a file (-f)".to_owned()]
        }
        CommandError::ManyLists { .. } => {
            vec!["--format json tells the digests of all, in their order".to_owned()]
        }
        CommandError::ListTooLarge { .. } => vec!["shorten its annotations, or leave images out".to_owned()],
        CommandError::OtherDigest { .. } => vec!["name a tag, under which any list can go".to_owned()],
        CommandError::NotAList(image) => vec![format!("make a list of it with: create LIST {image}")],
        CommandError::PartialTags { failure, .. }
        | CommandError::PartialBatch { failure, .. }
        | CommandError::PushedButNotReported { failure, .. } => {
            failure.each().iter().flat_map(|error| hints(error, certificates)).collect()
        }
        CommandError::ResultFile { .. } => vec!["name a file in a directory that is there and writable".to_owned()],
        CommandError::Preview(source) => draft_hints(source),
        CommandError::Draft(source) => draft_hints(source),
        CommandError::Served { .. } => Vec::new(),
        CommandError::Store(source) => store_hints(source),
        CommandError::NotServed { reference, source } => not_served(reference, source),
        CommandError::NotVerified { reference, by_tag: true, .. } => vec![reference::moved(reference)],
        CommandError::Put { media_type, source, .. } => put_hints(media_type, source, certificates),
        CommandError::Mount { source, .. } => registry_hints(source, certificates),
        CommandError::Unpublishable(_) => {
            vec!["the table has the registry's own words; those who run it may be able to let lists in".to_owned()]
        }
        CommandError::Registry(source) | CommandError::NotVerified { source, .. } => {
            registry_hints(source, certificates)
        }
        CommandError::Incomplete { list, made, missing, extra } => incomplete_hints(list, *made, missing, extra),
        CommandError::Output(_) => {
            vec!["what the command changes is changed; only the telling of it failed".to_owned()]
        }
        _ => Vec::new(),
    }
}

/// Advice on a manifest that a registry says it has not.
fn not_served(reference: &str, error: &RegistryError) -> Vec<String> {
    let request = error.request.as_ref();
    let path = request.and_then(|request| request.repository.as_deref()).unwrap_or_default();
    let other = reference::of_another_kind(&error.registry, path);
    let has_both =
        reference.split_once('@').is_some_and(|(name, _)| name.rsplit('/').next().unwrap_or(name).contains(':'));
    let moved = has_both.then(|| reference::moved(reference));
    let check =
        || vec![format!("check the name; if it is private, log in first with: docker login {}", error.registry)];
    other.or(moved).map_or_else(check, |hint| vec![hint])
}

/// Error codes of the distribution specification that say something other than that the form is refused.
const ABOUT_SOMETHING_ELSE: [&str; 18] = [
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

/// Whether a registry may have refused a manifest for its media type.
fn may_be_the_form(media_type: &str, error: &RegistryError) -> bool {
    let has = |codes: &[&str]| error.codes().iter().any(|code| codes.contains(&code.as_str()));
    if error.kind != RegistryErrorKind::Refused || has(&ABOUT_SOMETHING_ELSE) {
        return false;
    }
    match error.status {
        Some(415) => true,
        Some(405) => [media_type::OCI_INDEX, media_type::DOCKER_LIST].contains(&media_type),
        // No code, or one that is not known.
        Some(400 | 406 | 422) => true,
        _ => has(&["MANIFEST_INVALID", "UNSUPPORTED"]),
    }
}

/// Advice on a manifest that a registry would not take.
fn put_hints(media_type: &str, error: &RegistryError, certificates: &Path) -> Vec<String> {
    let has = |code: &str| error.codes().iter().any(|known| known == code);
    let hint = match (error.kind, error.status) {
        _ if has("MANIFEST_BLOB_UNKNOWN") || has("BLOB_UNKNOWN") || has("MANIFEST_UNKNOWN") => {
            "the repository does not have all that the manifest names: push that again, or take it out of the list; \
             push --dry-run says what is missing"
        }
        _ if has("TAG_INVALID") => "the tag may be one that the registry does not take, or does not let move",
        (RegistryErrorKind::Refused, _) if may_be_the_form(media_type, error) => match media_type {
            media_type::OCI_INDEX => {
                "if it is the form that is refused, publish a Docker manifest list instead with --type docker"
            }
            media_type::DOCKER_LIST => {
                "if it is the form that is refused, publish an OCI image index instead with --type oci"
            }
            media_type::OCI_MANIFEST => {
                "if it is the form that is refused, build the image in Docker's (buildx: --output \
                 type=image,push=true,oci-mediatypes=false)"
            }
            media_type::DOCKER_MANIFEST => {
                "if it is the form that is refused, build the image in OCI's (buildx: --output \
                 type=image,push=true,oci-mediatypes=true)"
            }
            _ => return registry_hints(error, certificates),
        },
        (RegistryErrorKind::Verification, _) => {
            "the registry does not keep what it is given, byte for byte: what it serves under that name now is not to be \
             trusted"
        }
        _ => return registry_hints(error, certificates),
    };
    let more = if error.status == Some(405) { registry_hints(error, certificates) } else { Vec::new() };
    more.into_iter().chain([hint.to_owned()]).collect()
}

/// Advice on a blob that is in none of the repositories that should have it.
fn gone(sources: &[String]) -> String {
    let sources = sources.join(" and ");
    format!("the blob is not in {sources} any more: push the image there again, or take it out of the list")
}

fn incomplete_hints(list: &str, made: SpecOrigin, missing: &[String], extra: &[String]) -> Vec<String> {
    let (add, take) = match made {
        SpecOrigin::Draft => (
            format!("add what is missing with: add {list} IMAGE"),
            format!("take out what is extra with: remove {list} {}", extra.join(" ")),
        ),
        SpecOrigin::File => (
            format!("add an image for what is missing to the manifests of {list} in its file"),
            format!("take what is extra out of the manifests of {list} in its file, or require it as well"),
        ),
        SpecOrigin::Flags => (
            "add what is missing to --platforms".to_owned(),
            "take what is extra out of --platforms, or require it as well".to_owned(),
        ),
    };
    [(missing, add), (extra, take)].into_iter().filter(|(there, _)| !there.is_empty()).map(|(_, hint)| hint).collect()
}

fn draft_hints(error: &DocumentError) -> Vec<String> {
    let hint = match error {
        DocumentError::NoPlatform(image) => format!(
            "set them with annotate --os … --arch … LIST {image}, or in the file for apply, or publish an OCI index with \
             --type oci, where an artifact needs none"
        ),
        DocumentError::BeyondDocker { .. } => "publish an OCI index with --type oci, which has".to_owned(),
        DocumentError::Mismatch { .. } | DocumentError::Length { .. } => {
            "the stored entry was changed from outside: remove the list with rm and create it again".to_owned()
        }
        DocumentError::KeyTaken { .. } => "put them into two lists, or name one of them by its digest".to_owned(),
        _ => return Vec::new(),
    };
    vec![hint]
}

fn store_hints(error: &StoreError) -> Vec<String> {
    let hint = match error {
        StoreError::Entry { path, .. } => {
            format!("mend or delete {}, then add the image again with create --amend", path.display())
        }
        StoreError::NoLocks { .. } => {
            "keep drafts on a local disk: set DOCKER_CONFIG, or --config, to a directory there".to_owned()
        }
        StoreError::NameTaken { holder, .. } => {
            format!("finish {holder} first, with push --purge or rm, or choose another name")
        }
        StoreError::NewerFormat { .. } => "use the version of docker-manifest that wrote it, or a later one".to_owned(),
        StoreError::SideFile { path, .. } => {
            format!("mend {0}, or delete it and lose what only it knows: which list it is, and its annotations", path.display())
        }
        StoreError::Stray { path, .. } => format!(
            "docker has made the draft anew, or it is a copy that docker has changed: delete {} to go on without what it \
             says, or make the draft anew with create --replace",
            path.display()
        ),
        StoreError::LockedOut { path, .. } => {
            format!("make it yours: sudo chown \"$USER\" {}", path.display())
        }
        StoreError::InUse { holder: Some(process), .. } => {
            format!("look what process {process} is doing, or wait longer with --timeout")
        }
        StoreError::InUse { holder: None, .. } => "wait longer with --timeout".to_owned(),
        StoreError::NoEntry { path } => format!("look what {} is, and move it away", path.display()),
        StoreError::Misplaced { path, .. } | StoreError::TooLarge { path, .. } | StoreError::TooMany { path, .. } => {
            format!("docker-manifest did not put it there; look what {} is, and move it away", path.display())
        }
        StoreError::Foreign { path, .. } => {
            format!("if you trust what is in it, make it yours: chown -R \"$USER\" {}", path.display())
        }
        StoreError::Nameless { .. } => "it is no draft: move the folder out of the store".to_owned(),
        StoreError::Busy { .. } => "run the command again when docker is done".to_owned(),
        StoreError::Io { source, .. } => match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "drafts are kept where docker's configuration is: make that writable, or set DOCKER_CONFIG, or --config, \
                 to a directory that is"
                    .to_owned()
            }
            _ => return Vec::new(),
        },
    };
    vec![hint]
}

fn registry_hints(error: &RegistryError, certificates: &Path) -> Vec<String> {
    let registry = &error.registry;
    let given = error.address().filter(|address| address.is_given());
    let path = error.request.as_ref().and_then(|request| request.repository.as_deref()).unwrap_or_default();
    // Docker Hub asks for a login where it knows no repository.
    if matches!(
        error.kind,
        RegistryErrorKind::Unauthorized
            | RegistryErrorKind::LoginRefused
            | RegistryErrorKind::Forbidden
            | RegistryErrorKind::NotFound
    ) && let Some(hint) = reference::of_another_kind(registry, path)
    {
        return vec![hint];
    }
    // The server that did not convince may be another one than the registry.
    let host = given.and_then(|address| Some(address.origin.split_once("://")?.1)).unwrap_or(registry);
    let folder = certificates.join(host);
    let folder = folder.display();
    let hint = match error.kind {
        RegistryErrorKind::Connect | RegistryErrorKind::Resolve | RegistryErrorKind::Timeout | RegistryErrorKind::PlainHttp if given.is_some() => {
            return vec![of_address(registry, given)];
        }
        RegistryErrorKind::NoHost => reference::UNDERSCORE.to_owned(),
        RegistryErrorKind::Quota => format!("delete images that nobody needs from {registry}, or have the quota raised"),
        RegistryErrorKind::ByteOrderMark => {
            "config.json begins with a byte order mark (BOM): save it as UTF-8 without one".to_owned()
        }
        RegistryErrorKind::TooLarge if error.request.as_ref().is_some_and(|request| request.reference.is_some()) => {
            "a manifest has 4 MiB at most, for docker and most registries: put what it lists into several lists".to_owned()
        }
        RegistryErrorKind::TooLarge => return Vec::new(),
        RegistryErrorKind::Proxy if error.status == Some(407) => {
            "the proxy wants a login: give it as HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (HTTP_PROXY for plain HTTP)"
                .to_owned()
        }
        RegistryErrorKind::Refused if error.status == Some(405) && error.is_write() => {
            format!("{registry} may be read-only, as a mirror or a pull-through cache is: push to the registry behind it")
        }
        RegistryErrorKind::Refused if error.status == Some(413) => {
            "the registry, or a proxy before it, takes no body of this size; a manifest has 4 MiB at most".to_owned()
        }

        // Some answer so in the place of a 401 or a 403, and some want a repository to be made before it is filled.
        RegistryErrorKind::NotFound if error.is_write() => format!(
            "the repository may be private or not there yet: log in with docker login {registry}, or have it made first"
        ),
        RegistryErrorKind::NotFound => return Vec::new(),
        RegistryErrorKind::Unauthorized => format!("log in with: docker login {registry}"),
        RegistryErrorKind::LoginRefused => format!("log in again with: docker login {registry}"),
        RegistryErrorKind::GivenLoginRefused => "check --username, and the password that goes with it".to_owned(),
        RegistryErrorKind::Forbidden => {
            format!("the account that is logged in may not do this; see who it is with: docker login {registry}")
        }
        RegistryErrorKind::RateLimited => "wait before trying again; a login usually raises the limit".to_owned(),
        RegistryErrorKind::PlainHttp => "add --insecure if you trust the network between here and there".to_owned(),
        // certs.d is not opened for it.
        RegistryErrorKind::Certificate if certs_d_name(host).is_none() => {
            "name the authority's certificate in SSL_CERT_FILE, or add --insecure to skip the check".to_owned()
        }
        RegistryErrorKind::Certificate => match junk(&certificates.join(host)) {
            Some(file) => format!(
                "{} holds no certificate: put the authority's into it, in PEM form (-----BEGIN CERTIFICATE-----), or add \
                 --insecure to skip the check",
                file.display()
            ),
            None => format!("put the authority's certificate into {folder}/ca.crt, or add --insecure to skip the check"),
        },
        RegistryErrorKind::CertificateUnfit => {
            "call the registry by a name that its certificate is for, have the certificate renewed, or add --insecure to \
             skip the check"
                .to_owned()
        }
        RegistryErrorKind::ClientCertificate if certs_d_name(host).is_none() => format!(
            "docker and docker-manifest use no client certificates for {host}: call the registry by another name, and put \
             the pair into that name's folder in {}",
            certificates.display()
        ),
        RegistryErrorKind::ClientCertificate => {
            format!("put the pair into {folder}/ as client.cert and client.key")
        }
        RegistryErrorKind::Resolve => "check the name for typing errors, and the network".to_owned(),
        RegistryErrorKind::Connect => format!("check that {registry} is up and that this machine may reach it"),
        RegistryErrorKind::Timeout => format!(
            "check that {registry} is up and that this machine may reach it, or give it more time with --timeout"
        ),
        RegistryErrorKind::Proxy => "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY".to_owned(),
        RegistryErrorKind::Credentials => format!("mend it, or log in again with: docker login {registry}"),
        RegistryErrorKind::Verification => {
            "somebody between here and the registry changes what is served, or the registry is broken; nothing was kept"
                .to_owned()
        }
        RegistryErrorKind::Server => "the registry is at fault; trying again later may help".to_owned(),
        RegistryErrorKind::Protocol => {
            format!("check that {registry} is a registry, and that no proxy or sign-in page answers in its place")
        }
        RegistryErrorKind::TlsFiles | RegistryErrorKind::Refused => return Vec::new(),
    };
    vec![hint]
}

/// Advice on an address that a registry gave and that does not answer.
fn of_address(registry: &str, address: Option<&Address>) -> String {
    match address.map(|address| address.source) {
        Some(AddressSource::Upload | AddressSource::NextPage) => format!(
            "{registry} gave that address: it, or a proxy before it, does not know by which scheme, host and port it is \
             called (the Host and X-Forwarded-Proto headers)"
        ),
        Some(AddressSource::TokenServer) => {
            format!(
                "{registry} gives its logins to that server: check that it is up and that this machine may reach it"
            )
        }
        _ => format!("{registry} sends its clients there: check that this machine may reach that address"),
    }
}

/// The first `*.crt` of a registry's folder, where there are such files and none of them holds a certificate: they are
/// passed over in silence, as docker does, so nobody has said so yet.
fn junk(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|it| it == "crt")).collect();
    files.sort();
    if files.iter().any(|file| holds_certificate(file)) { None } else { files.into_iter().next() }
}

/// Whether a file holds a certificate that could be an authority's; one that cannot be read may well do.
fn holds_certificate(file: &Path) -> bool {
    let Ok(bytes) = fs::read(file) else { return true };
    let mut certificates = CertificateDer::pem_slice_iter(&bytes).flatten();
    certificates.any(|certificate| RootCertStore::empty().add(certificate).is_ok())
}
