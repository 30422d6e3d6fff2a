//! Finds a registry's credentials where the docker client keeps them.
//!
//! The order is docker's: `DOCKER_AUTH_CONFIG`, the registry's own helper (`credHelpers`), the default helper
//! (`credsStore`), and the `auths` of `config.json`. Docker ignores a file that is not JSON and a helper that fails;
//! here both are errors, but only once a registry sends a challenge. Nothing is read before that.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::auth::config_json_merge::{self, UnmergedValue};
use crate::auth::helper::{self, HelperCredentials, HelperError};
use crate::env::Env;
use crate::model::json;
use crate::net::error::{RegistryError, RegistryErrorKind};
use crate::net::file_access_error;
use crate::net::options::Login;
use crate::net::transport::LineSink;
use crate::secret::Secret;

const AUTH_CONFIG_VARIABLE: &str = "DOCKER_AUTH_CONFIG";
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name by which a helper marks an identity token.
const TOKEN_USER: &str = "<token>";
/// The largest config.json that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// Standard base64 with padding. The bits after the last byte are ignored, as in Go.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The credentials for one registry. If all are empty, requests are anonymous.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Credential {
    /// The user's name; empty if there is only a token.
    pub(crate) username: String,
    /// The user's password.
    pub(crate) password: Option<Secret>,
    /// A refresh token, to be exchanged for access tokens.
    pub(crate) identity_token: Option<Secret>,
    /// An access token that is sent to the registry unchanged.
    pub(crate) registry_token: Option<Secret>,
}

impl Credential {
    /// User name and password, if both are set: docker sends neither alone.
    pub(crate) fn username_and_password(&self) -> Option<(&str, &Secret)> {
        self.password.as_ref().filter(|_| !self.username.is_empty()).map(|password| (self.username.as_str(), password))
    }

    /// Whether there is nothing to log in with.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.username_and_password().is_none() && self.identity_token.is_none() && self.registry_token.is_none()
    }
}

/// Looks up the credentials of the docker client.
pub(crate) struct CredentialStore {
    env: Env,
    config_dir: PathBuf,
    command_line_login: Option<Login>,
    notice: LineSink,
    /// Whether the warning about an unreadable config.json was printed.
    has_warned: AtomicBool,
}

impl fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStore").field("config_dir", &self.config_dir).finish_non_exhaustive()
    }
}

/// Why config.json gives no logins.
enum ConfigError {
    /// The system refuses to read it. A warning is printed, and the command continues without logins.
    Unreadable(String),
    /// It is not a valid configuration.
    Invalid(String),
}

impl CredentialStore {
    /// Looks in this configuration directory and this environment. Does no I/O. `notice` prints the warning about an
    /// unreadable file.
    pub(crate) fn new(env: Env, config_dir: PathBuf, notice: LineSink) -> CredentialStore {
        CredentialStore { env, config_dir, command_line_login: None, notice, has_warned: AtomicBool::new(false) }
    }

    /// Uses this login for its registry. No other credentials are looked up for that registry.
    pub(crate) fn with_command_line_login(self, command_line_login: Option<Login>) -> CredentialStore {
        CredentialStore { command_line_login, ..self }
    }

    /// Whether this registry's login comes from the command line.
    pub(crate) fn has_command_line_login(&self, registry: &str) -> bool {
        self.command_line_login_for(registry).is_some()
    }

    fn command_line_login_for(&self, registry: &str) -> Option<&Login> {
        self.command_line_login.as_ref().filter(|login| login.registry == registry)
    }

    /// Whether the configuration mentions a login for this registry; `docker login` writes an entry even if a helper
    /// stores the password. Runs no helper. Read errors are left to [`CredentialStore::lookup`].
    pub(crate) fn may_have(&self, registry: &str) -> bool {
        let key = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
        let has_entry = |config: &Map<String, Value>| {
            let auths = object_member(config, "auths").ok().flatten();
            let helpers = object_member(config, "credHelpers").ok().flatten();
            auths.is_some_and(|auths| auth_entry(auths, key).is_some())
                || helpers.is_some_and(|own| own.contains_key(key))
        };
        let variable = self.env.get(AUTH_CONFIG_VARIABLE).and_then(|text| read_object(text.as_bytes()).ok());
        self.has_command_line_login(registry)
            || variable.is_some_and(|config| has_entry(&config))
            || read_file(&self.config_file()).is_ok_and(|config| has_entry(&config))
    }

    /// `--docker-cfg` of manifest-tool may name the file itself.
    fn config_file(&self) -> PathBuf {
        let is_file = self.config_dir.is_file();
        if is_file { self.config_dir.clone() } else { self.config_dir.join("config.json") }
    }

    /// The credentials for a registry, by its host as in references. Anonymous if there are none, and if the system
    /// refuses to read config.json: docker continues then, too. A helper may take the time that is `left`.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Credentials`]. It names the file, the variable or the helper that cannot be used, and
    /// contains no secret.
    pub(crate) fn lookup(&self, registry: &str, time_left: Option<Duration>) -> Result<Credential, RegistryError> {
        if let Some(Login { username, password, .. }) = self.command_line_login_for(registry).cloned() {
            return Ok(Credential { username, password: Some(password), ..Credential::default() });
        }
        let key = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
        self.find_by_key(key, time_left).map_err(|detail| {
            let kind = if self.has_byte_order_mark() {
                RegistryErrorKind::ByteOrderMark
            } else {
                RegistryErrorKind::Credentials
            };
            RegistryError::new(kind, registry, detail)
        })
    }

    /// Whether config.json begins with a byte order mark, which editors on Windows write.
    fn has_byte_order_mark(&self) -> bool {
        let mut start = [0; 3];
        let read = fs::File::open(self.config_file()).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == *b"\xef\xbb\xbf"
    }

    fn find_by_key(&self, key: &str, time_left: Option<Duration>) -> Result<Credential, String> {
        if let Some(text) = self.env.get(AUTH_CONFIG_VARIABLE) {
            let named = |reason: String| format!("{AUTH_CONFIG_VARIABLE}: {reason}");
            let config = read_object(text.as_bytes()).map_err(named)?;
            if let Some(credential) = from_auths(&config, key).map_err(named)? {
                return Ok(credential);
            }
        }
        let path = self.config_file();
        let named = |reason: String| format!("{}: {reason}", path.display());
        let config = match read_file(&path) {
            Ok(config) => config,
            Err(ConfigError::Invalid(reason)) => return Err(named(reason)),
            Err(ConfigError::Unreadable(reason)) => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    (self.notice)(&format!("warning: {}; going on without logins", named(reason)));
                }
                return Ok(Credential::default());
            }
        };
        let stored = from_auths(&config, key);
        match configured_helper(&config, key).map_err(named)? {
            // Beside a helper the file's entry only records that a login exists, so a malformed one is ignored.
            Some(name) => {
                let helper_credentials =
                    helper::get_credentials(&self.env, &name, key, time_left).map_err(|error| error.reason)?;
                Ok(merge(stored.ok().flatten(), helper_credentials))
            }
            None if has_no_logins(&config) => self.default_helper(key, time_left),
            None => Ok(stored.map_err(named)?.unwrap_or_default()),
        }
    }

    /// If the configuration has no login at all, docker runs the platform's own helper if it is installed. The user did
    /// not choose it, so its failures count as no credentials, except for an expired deadline.
    fn default_helper(&self, key: &str, time_left: Option<Duration>) -> Result<Credential, String> {
        let Some(name) = self.default_helper_name() else { return Ok(Credential::default()) };
        match helper::get_credentials(&self.env, name, key, time_left) {
            Ok(helper_credentials) => Ok(merge(None, helper_credentials)),
            Err(HelperError { reason, is_timeout: true }) => Err(reason),
            Err(_) => Ok(Credential::default()),
        }
    }

    /// The name of the platform's own helper, if it is installed.
    fn default_helper_name(&self) -> Option<&'static str> {
        let name = match std::env::consts::OS {
            "macos" => "osxkeychain",
            "windows" => "wincred",
            "linux" if helper::find_program(&self.env, "pass").is_some() => "pass",
            "linux" => "secretservice",
            _ => return None,
        };
        helper::find_helper(&self.env, name).map(|_| name)
    }
}

/// The helper for this key: `credHelpers` before `credsStore`. An empty name means that the file holds the login.
pub(crate) fn configured_helper(config: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    // The key is data and no member name, so its case counts.
    let name = match object_member(config, "credHelpers")?.and_then(|helpers| helpers.get(key)) {
        None => string_member(config, "credsStore")?,
        Some(Value::Null) => String::new(),
        Some(name) => name.as_str().ok_or_else(|| format!("{key:?} is not a string"))?.to_owned(),
    };
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// The file's entry, with user, password and identity token replaced by those of the helper, as docker merges them.
fn merge(stored: Option<Credential>, helper_credentials: Option<HelperCredentials>) -> Credential {
    let registry_token = stored.and_then(|credential| credential.registry_token);
    let Some(HelperCredentials { username, secret }) = helper_credentials else {
        return Credential { registry_token, ..Credential::default() };
    };
    let secret = Some(secret).filter(|secret| !secret.reveal().is_empty());
    if username == TOKEN_USER {
        return Credential { identity_token: secret, registry_token, ..Credential::default() };
    }
    Credential { username, password: secret, registry_token, identity_token: None }
}

fn has_no_logins(config: &Map<String, Value>) -> bool {
    let empty = |name| object_member(config, name).is_ok_and(|map| map.is_none_or(Map::is_empty));
    empty("auths") && empty("credHelpers")
}

fn read_file(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let unreadable = |error: io::Error| ConfigError::Unreadable(file_access_error::describe(path, &error));
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(unreadable(error)),
    };
    // Opening a FIFO would block, and the error for a directory says less.
    if !metadata.is_file() {
        return Err(ConfigError::Invalid("not a file".to_owned()));
    }
    if metadata.len() > CONFIG_BYTES_MAX {
        return Err(ConfigError::Invalid("too large to be docker's configuration".to_owned()));
    }
    read_object(&fs::read(path).map_err(unreadable)?).map_err(ConfigError::Invalid)
}

/// The first JSON value, which must be an object. An empty file is an empty object, and text after the value is
/// ignored, as in Go's decoder. Repeated members are merged (see [`UnmergedValue`]).
pub(crate) fn read_object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    json::check_value_count(bytes).map_err(|error| error.to_string())?;
    match serde_json::Deserializer::from_slice(bytes).into_iter::<UnmergedValue>().next() {
        None | Some(Ok(UnmergedValue::Other(Value::Null))) => Ok(Map::new()),
        Some(Ok(UnmergedValue::Object(members))) => Ok(config_json_merge::merge_members(members)),
        Some(Ok(UnmergedValue::Other(_))) => Err("not a JSON object".to_owned()),
        // Reading into a Value fails only on the grammar, and these messages quote nothing of the text.
        Some(Err(error)) => Err(format!("not JSON: {error}")),
    }
}

fn auth_entry<'a>(auths: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let by_host = || auths.iter().find(|(name, _)| hostname(name) == key).map(|(_, entry)| entry);
    auths.get(key).or_else(by_host)
}

/// The entry for a key: the same key, or else a URL with the same host, as docker compares them.
pub(crate) fn from_auths(config: &Map<String, Value>, key: &str) -> Result<Option<Credential>, String> {
    let Some(auths) = object_member(config, "auths")? else {
        return Ok(None);
    };
    match auth_entry(auths, key) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(Credential::default())),
        Some(Value::Object(entry)) => read_entry(entry).map(Some).map_err(|reason| format!("auths {key:?}: {reason}")),
        Some(_) => Err(format!("auths {key:?}: not an object")),
    }
}

fn read_entry(entry: &Map<String, Value>) -> Result<Credential, String> {
    let secret =
        |name| Ok::<_, String>(Some(string_member(entry, name)?).filter(|text| !text.is_empty()).map(Secret::new));
    let mut credential = Credential {
        username: string_member(entry, "username")?,
        password: secret("password")?,
        identity_token: secret("identitytoken")?,
        registry_token: secret("registrytoken")?,
    };
    let auth = string_member(entry, "auth")?;
    if !auth.is_empty() {
        let (username, password) = decode_auth(&auth).ok_or("\"auth\" is not the base64 of user:password")?;
        credential.username = username;
        credential.password = Some(password).filter(|password| !password.reveal().is_empty());
    }
    Ok(credential)
}

/// Decodes base64 of `user:password`. Docker allows line breaks in it, and NULs around the password.
fn decode_auth(auth: &str) -> Option<(String, Secret)> {
    let bytes = BASE64.decode(auth.replace(['\r', '\n'], "")).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':').filter(|(username, _)| !username.is_empty())?;
    Some((username.to_owned(), Secret::new(password.trim_matches('\0'))))
}

/// The registry's host in a key. Old clients wrote URLs as keys.
fn hostname(key: &str) -> &str {
    let stripped = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    stripped.split('/').next().unwrap_or_default()
}

/// A member by its name in any case, as Go's decoder matches it.
fn member<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other_case = || map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    map.get(name).or_else(other_case).filter(|value| !value.is_null())
}

fn object_member<'a>(map: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Map<String, Value>>, String> {
    match member(map, name) {
        None => Ok(None),
        Some(value) => value.as_object().map(Some).ok_or_else(|| format!("{name:?} is not an object")),
    }
}

/// A member's string; empty if it is missing.
fn string_member(map: &Map<String, Value>, name: &str) -> Result<String, String> {
    match member(map, name) {
        None => Ok(String::new()),
        Some(value) => value.as_str().map(str::to_owned).ok_or_else(|| format!("{name:?} is not a string")),
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
