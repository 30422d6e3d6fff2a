//! The same work over TLS with Bearer tokens, as every public registry wants it: a token server beside the registry,
//! real certificates, and the same round-trip time to both.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tempfile::TempDir;
use testkit::certs::{Authority, client_config};
use testkit::client::Client;
use testkit::latency_link::LatencyLink;
use testkit::real::{Auth, RealConfig, RealRegistry, Tls};
use testkit::token_server::{TokenConfig, TokenServer};

use crate::comparison::{Comparison, Setup};
use crate::concurrency;
use crate::options::Options;
use crate::results::{Results, Sample};
use crate::seed::{self, SeededImages};
use crate::tools::{Job, Tool};

const RTT: Duration = Duration::from_millis(40);
/// More images take long with tools that log in for each request, and show nothing new.
const IMAGES_MAX: usize = 50;
const JOB_GROUPS: [&[Job]; 3] = [&[Job::Publish, Job::Again], &[Job::Apply], &[Job::Inspect]];
/// What the first command of a day does.
const COLD_JOB_GROUPS: [&[Job]; 2] = [&[Job::Apply], &[Job::Inspect]];

/// What was measured over TLS.
#[derive(Default)]
pub(crate) struct TlsResults {
    /// With the token server known from an earlier run.
    pub(crate) warm: Results,
    /// In a new home.
    pub(crate) cold: Results,
    /// Under each bound on requests at once.
    pub(crate) concurrency: Vec<(usize, Sample)>,
}

/// A registry over TLS with its token server, and what a client needs for it.
struct TlsRegistry {
    links: Vec<LatencyLink>,
    seeded: SeededImages,
    login: String,
    env: Vec<(String, String)>,
    _registry: RealRegistry,
    _tokens: (TokenServer, LatencyLink),
    _files: TempDir,
}

/// Runs everything at 40 ms; nothing where that is not among what is measured.
///
/// # Errors
/// Where the registry, the token server or a link cannot be had.
pub(crate) fn measure(options: &Options, tools: &[Tool]) -> Result<TlsResults, String> {
    if !options.rtts.contains(&RTT) || !options.has_part("tls") {
        return Ok(TlsResults::default());
    }
    let images = options.images.iter().copied().filter(|images| *images <= IMAGES_MAX).collect();
    let options = &Options { images, rtts: vec![RTT], ..options.clone() };
    let tools: Vec<Tool> = tools.iter().map(Tool::over_tls).collect();
    let tls_registry = TlsRegistry::new(&options.images)?;
    let TlsRegistry { links, seeded, login, env, .. } = &tls_registry;
    let setup = Setup { links, seeded, login: Some(login), env, has_warm_home: true };
    let warm = Comparison::new(options, &tools, setup, "warm").run(&JOB_GROUPS);
    let cold_setup = Setup { has_warm_home: false, ..setup };
    let ours: Vec<Tool> = tools.iter().filter(|tool| tool.caches_between_runs()).cloned().collect();
    let cold = Comparison::new(options, &ours, cold_setup, "cold").run(&COLD_JOB_GROUPS);
    let concurrency = if options.has_part("jobs") { concurrency::measure(options, &tools, setup) } else { Vec::new() };
    Ok(TlsResults { warm, cold, concurrency })
}

impl TlsRegistry {
    fn new(images: &[usize]) -> Result<TlsRegistry, String> {
        let text = |error: std::io::Error| error.to_string();
        let files = tempfile::tempdir().map_err(text)?;
        let authority = Authority::new("bench CA");
        let pair = authority.server(&["127.0.0.1"]);
        let (cert, key) = pair.write(files.path(), "server.crt", "server.key");
        let trusted = authority.write(files.path(), "ca.crt");
        let tokens = TokenServer::start_tls(TokenConfig::default(), pair.server_config(None));
        let token_link = LatencyLink::start(tokens.addr(), RTT).map_err(text)?;
        let rootcertbundle = files.path().join("tokens.crt");
        std::fs::write(&rootcertbundle, tokens.certificate_pem()).map_err(text)?;
        let auth = Auth::Token {
            realm: tokens.realm_at(token_link.proxy.addr()),
            service: tokens.service().to_owned(),
            issuer: tokens.issuer().to_owned(),
            rootcertbundle,
        };
        let tls = Some(Tls { cert, key, client_ca: None });
        let registry = RealRegistry::start(&RealConfig { auth, tls, ..RealConfig::default() })?;
        let link = LatencyLink::start(registry.addr(), RTT).map_err(text)?;
        let most = images.iter().copied().max().unwrap_or(0);
        let mut scopes: Vec<String> = (0..most).map(|number| scope(&seed::repository(number))).collect();
        scopes.extend(images.iter().map(|images| scope(&seed::list_repository(*images))));
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let client = Client::new(registry.addr()).tls(client_config(&[&authority.cert_pem()], None));
        let seeded = seed::seed_images(&client.bearer(&tokens.issue("seed", &scopes)), images)?;
        Ok(TlsRegistry {
            links: vec![link],
            seeded,
            login: BASE64_STANDARD.encode("alice:secret"),
            // No tool is to read the system's authorities: that is work, and as much as there are of them.
            env: [("SSL_CERT_FILE", &trusted), ("SSL_CERT_DIR", &files.path().join("none"))]
                .map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()))
                .to_vec(),
            _registry: registry,
            _tokens: (tokens, token_link),
            _files: files,
        })
    }
}

fn scope(repository: &str) -> String {
    format!("repository:{repository}:pull,push")
}
