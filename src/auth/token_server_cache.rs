//! Which token server each registry named, kept for a day in the user's cache directory.
//!
//! It is used for one thing: the connection to the token server is opened at the start, beside the first request.
//! Nothing is sent on it before the registry's challenge of this run has named that server (see SECURITY.md). So no
//! login and no token is in the file, and an entry that is out of date costs one unused connection.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::env::Env;
use crate::net::url::{Origin, Url};
use crate::regular_file::no_follow_or_block;
use crate::sync::lock;

const DIRECTORY: &str = "docker-manifest";
const FILE_NAME: &str = "token-servers.json";
/// How long an entry is valid.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// An entry that is older than this is written again.
const REFRESH_AFTER: Duration = Duration::from_secs(60 * 60);
/// The maximum number of registries. The oldest entries are removed.
const ENTRIES_MAX: usize = 100;
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Docker Hub's token server is the same for all users.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_TOKEN_SERVER: &str = "https://auth.docker.io";

/// The file as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
struct TokenServerFile {
    registries: BTreeMap<String, CachedTokenServer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CachedTokenServer {
    /// Scheme, host and port.
    token_server: String,
    /// When the registry named it, in seconds since 1970.
    #[serde(rename = "named")]
    named_at: u64,
}

/// The token servers that registries have named, in this run and within a day before it.
#[derive(Debug)]
pub(crate) struct TokenServerCache {
    /// `None` if nothing is stored.
    path: Option<PathBuf>,
    is_enabled: bool,
    stored: OnceLock<TokenServerFile>,
    named_in_this_run: Mutex<BTreeMap<String, CachedTokenServer>>,
}

impl TokenServerCache {
    /// Reads nothing yet. With `is_enabled` false nothing is read or written at all.
    pub(crate) fn new(env: &Env, is_enabled: bool) -> TokenServerCache {
        let path =
            env.user_cache_dir().filter(|_| is_enabled).map(|directory| directory.join(DIRECTORY).join(FILE_NAME));
        TokenServerCache { path, is_enabled, stored: OnceLock::new(), named_in_this_run: Mutex::default() }
    }

    /// The token server that a registry named within a day, or Docker Hub's own; https only.
    pub(crate) fn get(&self, registry: &str, now: SystemTime) -> Option<Origin> {
        let known =
            self.stored().registries.get(registry).filter(|known| known.age(now).is_some_and(|age| age < LIFETIME));
        let built_in = || (self.is_enabled && registry == DOCKER_HUB).then_some(DOCKER_HUB_TOKEN_SERVER);
        let url = Url::parse_from_server(known.map(|known| known.token_server.as_str()).or_else(built_in)?).ok()?;
        Some(url.origin).filter(|origin| origin.https)
    }

    /// Records that a registry has named a token server, over verified TLS, and that the server returned a token.
    pub(crate) fn record(&self, registry: &str, server: &Origin, now: SystemTime) {
        let named_at = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let known = CachedTokenServer { token_server: server.to_string(), named_at };
        lock(&self.named_in_this_run).insert(registry.to_owned(), known);
    }

    /// Writes new entries, if there are any.
    ///
    /// # Errors
    /// A file that cannot be written. It is not changed then.
    pub(crate) fn save(&self, now: SystemTime) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let named = std::mem::take(&mut *lock(&self.named_in_this_run));
        let stored = self.stored();
        let is_kept = |registry: &String, known: &CachedTokenServer| {
            stored.registries.get(registry).is_some_and(|kept| {
                kept.token_server == known.token_server && kept.age(now).is_some_and(|age| age < REFRESH_AFTER)
            })
        };
        if named.iter().all(|(registry, known)| is_kept(registry, known)) {
            return Ok(());
        }
        // Another process may have written since.
        let mut file = read(path);
        file.registries.retain(|_, known| known.age(now).is_some_and(|age| age < LIFETIME));
        file.registries.extend(named);
        while file.registries.len() > ENTRIES_MAX {
            let oldest = file.registries.iter().min_by_key(|(_, known)| known.named_at).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| file.registries.remove(&oldest));
        }
        write(path, &serde_json::to_vec(&file)?)
    }

    fn stored(&self) -> &TokenServerFile {
        self.stored.get_or_init(|| self.path.as_deref().map(read).unwrap_or_default())
    }
}

impl CachedTokenServer {
    /// `None` for an entry from the future.
    fn age(&self, now: SystemTime) -> Option<Duration> {
        now.duration_since(UNIX_EPOCH.checked_add(Duration::from_secs(self.named_at))?).ok()
    }
}

/// Reads the file. It counts as empty if it is missing, not a regular file of this user, writable by others, too large
/// or malformed; the next run writes it again.
fn read(path: &Path) -> TokenServerFile {
    let bytes = open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::MetadataExt;

    let file = no_follow_or_block(OpenOptions::new().read(true)).open(path)?;
    let found = file.metadata()?;
    let is_ours = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if found.is_file() && is_ours { Ok(file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Replaces the file as a whole, readable and writable by the user alone.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let (mut builder, mut options) = (fs::DirBuilder::new(), OpenOptions::new());
    builder.recursive(true);
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        builder.mode(0o700);
        options.mode(0o600);
    }
    builder.create(directory)?;
    let temporary = directory.join(format!("{FILE_NAME}.{}.tmp", std::process::id()));
    // A process with the same ID may have left it when it was killed.
    let _ = fs::remove_file(&temporary);
    let written = options.open(&temporary).and_then(|mut file| file.write_all(bytes));
    let done = written.and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn servers(directory: &Path) -> TokenServerCache {
        TokenServerCache::new(&Env::from_pairs([("XDG_CACHE_HOME", directory.to_str().unwrap())]), true)
    }

    fn origin(url: &str) -> Origin {
        Url::parse_from_server(url).unwrap().origin
    }

    fn known(directory: &Path, registry: &str, seconds: u64) -> Option<String> {
        servers(directory).get(registry, at(seconds)).map(|origin| origin.to_string())
    }

    #[test]
    fn token_server_is_remembered_for_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let run = servers(directory.path());
        run.record("r.example", &origin("https://auth.example/token"), at(0));
        assert_eq!(known(directory.path(), "r.example", 1), None, "nothing is written before the end of the run");
        run.save(at(0)).unwrap();
        assert_eq!(known(directory.path(), "r.example", DAY - 1).as_deref(), Some("https://auth.example"));
        assert_eq!(known(directory.path(), "r.example", DAY), None);
        assert_eq!(servers(directory.path()).get("r.example", at(0) - Duration::from_secs(1)), None, "from the future");
        assert_eq!(known(directory.path(), "other.example", 1), None);
    }

    #[test]
    fn token_server_file_is_private_and_replaced_atomically() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DIRECTORY).join(FILE_NAME);
        let run = |registry: &str, seconds| {
            let run = servers(directory.path());
            run.record(registry, &origin("https://auth.example"), at(seconds));
            run.save(at(seconds)).unwrap();
        };
        run("a.example", 0);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            r#"{"registries":{"a.example":{"token_server":"https://auth.example","named":1700000000}}}"#
        );
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        run("a.example", 60);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before, "known already");
        run("b.example", 61);
        assert!(
            known(directory.path(), "a.example", 62).is_some() && known(directory.path(), "b.example", 62).is_some()
        );
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
        // What others can write, and what is not a regular file, says nothing.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(known(directory.path(), "a.example", 62), None);
        let elsewhere = directory.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert_eq!(known(directory.path(), "a.example", 62), None);
        run("c.example", 63);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert!(!fs::read_to_string(&elsewhere).unwrap().contains("c.example"));
    }

    #[test]
    fn invalid_token_server_files_and_plain_http_are_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DIRECTORY).join(FILE_NAME);
        write(&path, b"").unwrap();
        let long = "x".repeat(100_000);
        for text in ["", "{", "[]", r#"{"registries":{"r":{"named":1}}}"#, &long] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(known(directory.path(), "r", 0), None, "{text:.40}");
        }
        for server in ["http://auth.example", "ftp://x", "no URL", ""] {
            let text = format!(r#"{{"registries":{{"r":{{"token_server":"{server}","named":1700000000}}}}}}"#);
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(known(directory.path(), "r", 0), None, "{server}");
        }
    }

    #[test]
    fn docker_hubs_token_server_is_built_in_and_the_setting_disables_the_cache() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(known(directory.path(), "docker.io", 0).as_deref(), Some("https://auth.docker.io"));
        let off =
            TokenServerCache::new(&Env::from_pairs([("XDG_CACHE_HOME", directory.path().to_str().unwrap())]), false);
        off.record("r.example", &origin("https://auth.example"), at(0));
        off.save(at(0)).unwrap();
        assert_eq!(off.get("docker.io", at(0)), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn oldest_token_servers_are_removed_beyond_the_maximum() {
        let directory = tempfile::tempdir().unwrap();
        let run = servers(directory.path());
        for number in 0..=ENTRIES_MAX as u64 {
            run.record(&format!("r{number}.example"), &origin("https://auth.example"), at(number));
        }
        run.save(at(200)).unwrap();
        assert_eq!(known(directory.path(), "r0.example", 200), None);
        assert!(known(directory.path(), "r1.example", 200).is_some());
    }
}
