//! The real docker-registry (Debian's, from the PATH) on a loopback port of its own choosing: the reference that both
//! clients are run against. It listens on port 0 and tells its port in its log, so no port can be taken by another.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::find_on_path;

/// The user of [`HTPASSWD_LINE`].
pub const HTPASSWD_USER: &str = "kit";
/// The password of [`HTPASSWD_LINE`]; the blank is there to catch a client that trims.
pub const HTPASSWD_PASSWORD: &str = "open sesame";
/// What `htpasswd -nbB` printed for the two: the registry takes bcrypt lines only.
pub const HTPASSWD_LINE: &str = "kit:$2y$05$1BiXTIPO/HSxiniaazJhielkOcC62GRJQEUD6aXJuytDra026lQOy\n";

const START_LIMIT: Duration = Duration::from_secs(20);

/// The authentication that a registry requires.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// Basic, from a file of bcrypt lines (see [`write_htpasswd`]).
    Htpasswd {
        /// The file.
        file: PathBuf,
    },
    /// Bearer, with tokens signed by a token server.
    Token {
        /// The URL where clients get tokens.
        realm: String,
        /// The name of this registry there, the tokens' audience.
        service: String,
        /// Who must have issued them.
        issuer: String,
        /// The certificates (PEM) that may have signed them.
        rootcertbundle: PathBuf,
    },
}

/// The files for HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// With it, clients must show a certificate that this CA signed.
    pub client_ca: Option<PathBuf>,
}

/// What kind of registry to start; the default is plain HTTP on 127.0.0.1 with no auth.
#[derive(Debug, Clone)]
pub struct RealConfig {
    /// The authentication that it requires.
    pub auth: Auth,
    /// HTTPS, or plain HTTP.
    pub tls: Option<Tls>,
    /// The address to listen on.
    pub addr: IpAddr,
    /// Whether manifests and blobs can be deleted.
    pub deletion: bool,
    /// The network namespace to run in (see [`crate::netns`]); None is the machine's own network.
    pub netns: Option<String>,
}

impl Default for RealConfig {
    fn default() -> Self {
        Self { auth: Auth::None, tls: None, addr: IpAddr::V4(Ipv4Addr::LOCALHOST), deletion: true, netns: None }
    }
}

impl RealConfig {
    fn yaml(&self, storage: &Path) -> String {
        let mut yaml = format!(
            "version: 0.1\nlog:\n  level: info\n  accesslog:\n    disabled: true\n\
             storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: {}\n\
             validation:\n  manifests:\n    urls:\n      allow: ['.*']\n\
             http:\n  addr: {}\n  secret: tests\n",
            path(storage),
            self.deletion,
            quote(SocketAddr::new(self.addr, 0)),
        );
        if let Some(tls) = &self.tls {
            yaml += &format!("  tls:\n    certificate: {}\n    key: {}\n", path(&tls.cert), path(&tls.key));
            if let Some(ca) = &tls.client_ca {
                yaml += &format!("    clientcas: [{}]\n", path(ca));
            }
        }
        match &self.auth {
            Auth::None => {}
            Auth::Htpasswd { file } => {
                yaml += &format!("auth:\n  htpasswd:\n    realm: tests\n    path: {}\n", path(file));
            }
            Auth::Token { realm, service, issuer, rootcertbundle } => {
                yaml += &format!(
                    "auth:\n  token:\n    realm: {}\n    service: {}\n    issuer: {}\n    rootcertbundle: {}\n",
                    quote(realm),
                    quote(service),
                    quote(issuer),
                    path(rootcertbundle)
                );
            }
        }
        yaml
    }
}

/// A JSON string is a YAML string too.
fn quote(text: impl ToString) -> String {
    serde_json::Value::String(text.to_string()).to_string()
}

fn path(path: &Path) -> String {
    quote(path.display())
}

/// A running docker-registry; it is ended and its storage removed on drop.
#[derive(Debug)]
pub struct RealRegistry {
    child: Child,
    addr: SocketAddr,
    dir: tempfile::TempDir,
}

impl RealRegistry {
    /// Plain HTTP on 127.0.0.1, no auth.
    ///
    /// # Errors
    /// See [`RealRegistry::start`].
    pub fn start_plain() -> Result<Self, String> {
        Self::start(&RealConfig::default())
    }

    /// Starts one and returns when it listens.
    ///
    /// # Errors
    /// `docker-registry is not on the PATH…` where there is none; its own log where it would not start.
    pub fn start(config: &RealConfig) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("registry-").tempdir().map_err(|error| error.to_string())?;
        let config_file = dir.path().join("config.yml");
        std::fs::write(&config_file, config.yaml(&dir.path().join("storage"))).map_err(|error| error.to_string())?;
        let log = std::fs::File::create(dir.path().join("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let missing = "docker-registry is not on the PATH (Debian and Ubuntu: apt-get install docker-registry)";
        let program = find_on_path("docker-registry").ok_or(missing)?;
        let mut command = match &config.netns {
            Some(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(&program);
                command
            }
            None => Command::new(&program),
        };
        let mut child = command
            .arg("serve")
            .arg(&config_file)
            .env_clear()
            // Its garbage collector takes a third of its time otherwise, as its heap is small.
            .env("GOGC", "1000")
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .current_dir(dir.path())
            .spawn()
            .map_err(|error| format!("docker-registry cannot be run: {error}"))?;
        match wait_for_port(&mut child, &dir.path().join("log")) {
            Ok(port) => Ok(Self { child, addr: SocketAddr::new(config.addr, port), dir }),
            Err(reason) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(reason)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as it stands in an image name: `127.0.0.1:PORT`, `[::1]:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// The port alone, for `localhost:PORT`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The directory that its blobs and links lie under, for tests that break something there.
    #[must_use]
    pub fn storage(&self) -> PathBuf {
        self.dir.path().join("storage")
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The log says `listening on ADDR` once the port is really its own.
fn wait_for_port(child: &mut Child, log: &Path) -> Result<u16, String> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        if let Some(port) = listening_port(&text) {
            return Ok(port);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("docker-registry ended with {status}:\n{text}"));
        }
        if Instant::now() > deadline {
            return Err(format!("docker-registry did not listen within {START_LIMIT:?}:\n{text}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn listening_port(log: &str) -> Option<u16> {
    let after = log.split_once("listening on ")?.1;
    // The line must be whole, or the port could be cut short.
    let addr = after.split_once('\n')?.0.split([' ', ',', '"']).next()?;
    addr.rsplit_once(':')?.1.parse().ok()
}

/// Writes the htpasswd file with the one user of [`HTPASSWD_LINE`] into a directory.
///
/// # Errors
/// When it cannot be written.
pub fn write_htpasswd(dir: &Path) -> std::io::Result<PathBuf> {
    let file = dir.join("htpasswd");
    std::fs::write(&file, HTPASSWD_LINE)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn status(addr: SocketAddr) -> String {
        let mut stream = std::net::TcpStream::connect(addr).expect("it listens");
        stream.write_all(b"GET /v2/ HTTP/1.0\r\nHost: x\r\n\r\n").expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_port_is_read_from_a_whole_line_only() {
        assert_eq!(listening_port("x msg=\"listening on 127.0.0.1:41234\" y\n"), Some(41234));
        assert_eq!(listening_port("x msg=\"listening on [::1]:41234, tls\" y\n"), Some(41234));
        assert_eq!(listening_port("x msg=\"listening on 127.0.0.1:412"), None);
    }

    #[test]
    fn plain_and_htpasswd_registries_start() {
        let plain = match RealRegistry::start_plain() {
            Ok(plain) => plain,
            Err(reason) => return crate::skip::skipped("the real registry", &reason),
        };
        assert!(status(plain.addr()).contains("200"), "{}", plain.log());
        let dir = tempfile::tempdir().expect("a directory");
        let auth = Auth::Htpasswd { file: write_htpasswd(dir.path()).expect("a file") };
        let closed = RealRegistry::start(&RealConfig { auth, ..RealConfig::default() }).expect("it starts");
        assert!(status(closed.addr()).contains("401"), "{}", closed.log());
    }
}
