//! TLS configurations for each host: roots, certs.d, client key pairs, or no verification with `--insecure`.
//!
//! Uses rustls with ring directly. The HTTP library's own TLS code panics on an unusable client pair, and cannot add
//! authorities to those of the system.
//!
//! The authorities in a registry's directory also apply to hosts that the registry names (token server, blob store), as
//! in docker. A client pair is sent only to the host of its directory; docker would send it to those other hosts, too.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection};

use crate::env::Env;
use crate::net::tls::certs_d::{self, HostCertificates};
use crate::net::tls::identity::ClientIdentity;
use crate::net::tls::system_roots::SystemRoots;
use crate::net::tls::verifier::{CertificateVerifier, NoVerification};

/// Makes TLS configurations. Reads nothing before the first one.
pub(crate) struct TlsSetups {
    directory: PathBuf,
    insecure: bool,
    system: Arc<SystemRoots>,
    provider: Arc<CryptoProvider>,
}

/// The TLS configuration of all connections to one host.
#[derive(Debug, Clone)]
pub(crate) struct TlsSetup {
    /// The configuration for rustls.
    pub(crate) config: Arc<ClientConfig>,
    /// The client's certificates for the host.
    pub(crate) identity: Arc<ClientIdentity>,
}

impl TlsSetups {
    /// Uses the certs.d directory of this environment.
    pub(crate) fn new(env: &Env, insecure: bool) -> TlsSetups {
        TlsSetups {
            directory: certs_d::directory(env),
            insecure,
            system: Arc::new(SystemRoots::new(env)),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        }
    }

    /// The setup for one host. `host_dirs` are the names of its directories in certs.d, `ca_dirs` those of the
    /// registry that named it. With `--insecure` no directory is opened. The error names the file.
    pub(crate) fn for_host(&self, host_dirs: &[String], ca_dirs: &[String]) -> Result<TlsSetup, String> {
        let mut authorities = Vec::new();
        let mut client_pairs = Vec::new();
        for name in host_dirs.iter().filter(|_| !self.insecure) {
            let files = HostCertificates::read(&self.directory.join(name), &self.provider)?;
            authorities.extend(files.authorities);
            client_pairs.extend(files.client_pairs);
        }
        let others = ca_dirs.iter().filter(|name| !self.insecure && !host_dirs.contains(name));
        for name in others {
            authorities.extend(HostCertificates::read(&self.directory.join(name), &self.provider)?.authorities);
        }
        let verifier: Arc<dyn ServerCertVerifier> = if self.insecure {
            Arc::new(NoVerification { provider: Arc::clone(&self.provider) })
        } else {
            Arc::new(CertificateVerifier::new(Arc::clone(&self.system), authorities, Arc::clone(&self.provider)))
        };
        let identity = Arc::new(ClientIdentity::new(client_pairs));
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::clone(&identity) as _);
        Ok(TlsSetup { config: Arc::new(config), identity })
    }
}

impl TlsSetup {
    /// A connection to a host by its name or address (IPv6 without brackets).
    pub(crate) fn connection(&self, host: &str) -> Result<ClientConnection, rustls::Error> {
        let name = rustls::pki_types::ServerName::try_from(host.to_owned())
            .map_err(|_| rustls::Error::General(format!("{host} cannot stand in a certificate")))?;
        ClientConnection::new(Arc::clone(&self.config), name)
    }
}
