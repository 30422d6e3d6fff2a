//! The environment of a command: streams, clock, docker's directory, registry client.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::{LocationArg, NetworkFlags, values};
use crate::cli::docker_interrupt::InterruptHandler;
use crate::cli::output::{FetchProgress, Streams};
use crate::content::registry::RegistryClient;
use crate::core::CommandError;
use crate::core::image_filters::LocationResult;
use crate::core::image_source::ContentAccess;
use crate::core::open_layouts::Layouts;
use crate::core::resolve::resolver::FetchEvent;
use crate::drafts::DraftStore;
use crate::drafts::docker_dir::{DockerManifestStore, StoreError};
use crate::env::Env;
use crate::location::Location;
use crate::model::Draft;
use crate::net::{ClientOptions, Clock, LineSink, Login};
use crate::reference::{Reference, Repository};
use crate::secret::Secret;

/// Environment variable for the default of `--jobs`.
const JOBS_VARIABLE: &str = "DOCKER_MANIFEST_JOBS";

/// Default maximum of concurrent requests. By `make bench` a list of 50 takes a ninth less over TLS than with 16, and
/// beyond this the registry itself is the limit.
const DEFAULT_JOBS: NonZeroUsize = NonZeroUsize::new(24).unwrap();

/// Environment variable for the default of `--retries`.
const RETRIES_VARIABLE: &str = "DOCKER_MANIFEST_RETRIES";

/// Environment variable for the default of `--timeout`.
const TIMEOUT_VARIABLE: &str = "DOCKER_MANIFEST_TIMEOUT";

/// Whether the token servers that registries name are remembered for a day.
const REMEMBER_VARIABLE: &str = "DOCKER_MANIFEST_REMEMBER_TOKEN_SERVERS";

/// How often a failed request is retried by default.
const DEFAULT_RETRIES: u32 = 3;

/// The largest password that is read, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1024 * 1024;

/// The environment of a command.
#[derive(Clone)]
pub struct Context {
    /// The process's environment.
    pub env: Env,
    /// Docker's configuration directory: drafts and credentials.
    pub config_dir: PathBuf,
    /// Whether to print each request on stderr.
    pub debug: bool,
    /// The output streams.
    pub streams: Arc<Streams>,
    /// The clock that retries wait by.
    pub clock: Arc<dyn Clock>,
    /// Handles docker's interrupt.
    pub docker_interrupts: InterruptHandler,
    /// The layouts that are open.
    pub(crate) layouts: Arc<Layouts>,
}

impl Context {
    pub(crate) fn store(&self) -> DockerManifestStore {
        DockerManifestStore::new(&self.config_dir)
    }

    /// The draft of a list; `None` if there is none, or if its directory belongs to another list.
    pub(crate) fn load_draft(&self, list: &Reference) -> Result<Option<Draft>, CommandError> {
        match self.store().load(list) {
            Err(StoreError::NameTaken { .. }) => Ok(None),
            found => Ok(found?),
        }
    }

    /// The store. Its wait for another process ends after the flag's time, or after that of the environment variable.
    pub(crate) fn store_with_timeout(&self, timeout: Option<Duration>) -> Result<DockerManifestStore, CommandError> {
        Ok(self.store().with_lock_timeout(self.timeout_or_variable(timeout)?))
    }

    /// The longest wait for another process: the flag's time, or that of the environment variable.
    pub(crate) fn timeout_or_variable(&self, timeout: Option<Duration>) -> Result<Option<Duration>, CommandError> {
        self.flag_or_variable(timeout, TIMEOUT_VARIABLE, values::time_limit)
    }

    /// A client. The login of the command line applies to the registry of `login_repository`, which is that of the
    /// list. Images from other registries use the credentials of docker's configuration.
    pub(crate) fn registry_client<'a>(
        &self,
        network: &NetworkFlags,
        login_repository: impl Into<Option<&'a Repository>>,
    ) -> Result<RegistryClient, CommandError> {
        let login = login_repository.into().map(|repository| read_login(network, repository)).transpose()?.flatten();
        self.registry_client_with_login(network, false, login)
    }

    /// What images are read from: this client, and the layouts of the command.
    pub(crate) fn content_access<'a>(&'a self, registry: &'a RegistryClient) -> ContentAccess<'a> {
        ContentAccess { registry, layouts: &self.layouts }
    }

    /// A client with this login, if there is one. `plain_http` forbids TLS.
    pub(crate) fn registry_client_with_login(
        &self,
        network: &NetworkFlags,
        plain_http: bool,
        login: Option<Login>,
    ) -> Result<RegistryClient, CommandError> {
        let streams = Arc::clone(&self.streams);
        let trace: LineSink = Arc::new(move |line: &str| streams.message(line));
        let options = ClientOptions {
            env: self.env.clone(),
            config_dir: self.config_dir.clone(),
            insecure: network.insecure,
            user_agent: concat!("docker-manifest/", env!("CARGO_PKG_VERSION")).to_owned(),
            trace: self.debug.then(|| Arc::clone(&trace)),
            plain_http,
            login,
            jobs: self.flag_or_variable(network.jobs, JOBS_VARIABLE, values::jobs)?.unwrap_or(DEFAULT_JOBS),
            retries: self
                .flag_or_variable(network.retries, RETRIES_VARIABLE, values::retries)?
                .unwrap_or(DEFAULT_RETRIES),
            timeout: self.timeout_or_variable(network.timeout)?,
            remember_token_servers: self.flag_or_variable(None, REMEMBER_VARIABLE, values::on_or_off)?.unwrap_or(true),
            notice: trace,
        };
        Ok(RegistryClient::with_clock(options, Arc::clone(&self.clock)))
    }

    /// The flag's value, else that of an environment variable. Both have the same grammar.
    pub(crate) fn flag_or_variable<T>(
        &self,
        flag: Option<T>,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, CommandError> {
        match (flag, self.env.get(name)) {
            (None, Some(text)) => {
                let read = read(text).map(Some);
                read.map_err(|reason| CommandError::InvalidVariable { name, value: text.to_owned(), reason })
            }
            (flag, _) => Ok(flag),
        }
    }

    /// Shows on a terminal which images have been fetched.
    pub(crate) fn fetch_progress(&self) -> impl Fn(FetchEvent<'_>) + Sync {
        let progress = FetchProgress::new(&self.streams);
        move |event| match event {
            FetchEvent::Queued(number) => progress.expect_more(number),
            FetchEvent::Fetched(image) => progress.add_fetched(&image.to_string()),
        }
    }

    /// The image that a word names, or why it names none. A relative path of a layout is relative to the
    /// working directory, as everywhere.
    pub(crate) fn location(&self, word: &LocationArg) -> LocationResult {
        word.location_result().map(|location| match location {
            Location::Layout(name) => Location::Layout(name.at(self.env.original_path(&name.path))),
            registry @ Location::Registry(_) => registry,
        })
    }

    /// Prints on stderr what the command waits for.
    pub(crate) fn wait_notice(&self) -> impl Fn(&str) {
        |line| self.streams.message(line)
    }
}

/// The login of `--username` and `--password-stdin`. As in `docker login`, the password is all of stdin without the
/// last line break.
fn read_login(network: &NetworkFlags, repository: &Repository) -> Result<Option<Login>, CommandError> {
    let Some(username) = &network.username else { return Ok(None) };
    let mut password = String::new();
    let read = io::stdin().take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut password);
    let refuse = |reason| CommandError::Password(io::Error::new(io::ErrorKind::InvalidData, reason));
    if password.len() as u64 > PASSWORD_BYTES_MAX {
        return Err(refuse("it is longer than 1 MiB"));
    }
    read.map_err(CommandError::Password)?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(refuse("it is empty"));
    }
    let password = Secret::new(password);
    Ok(Some(Login { registry: repository.domain().to_owned(), username: username.clone(), password }))
}
