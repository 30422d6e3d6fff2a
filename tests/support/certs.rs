//! Certificates made on the spot: authorities, server and client pairs, and unusual ones that users have.
//!
//! Keys are ECDSA P-256. Dates are fixed years rather than offsets from now, so that no clock is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate and its private key, both PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// The private key, PKCS #8.
    pub key: String,
}

impl Pair {
    /// Writes the certificate to `cert` and the key to `key` (both in `dir`, which is made) and gives the two paths.
    pub fn write(&self, dir: &Path, cert: &str, key: &str) -> (PathBuf, PathBuf) {
        (write_pem(dir, cert, &self.cert), write_pem(dir, key, &self.key))
    }

    /// A TLS server with this certificate; with `clients`, one that demands a client certificate of that authority.
    pub fn server_config(&self, clients: Option<&Authority>) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().expect("ring has the default versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let roots = Arc::new(roots(&[&authority.cert_pem()]));
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                builder.with_client_cert_verifier(verifier.build().expect("one root is enough for a verifier"))
            }
        };
        let config = builder.with_single_cert(self.chain(), self.private_key());
        Arc::new(config.expect("a pair made here fits together"))
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.cert.as_bytes()).collect();
        certs.expect("the certificate is PEM")
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("the key is PEM")
    }
}

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// An authority whose common name is `name`.
    pub fn new(name: &str) -> Authority {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, new_key()).expect("an authority can sign itself");
        Authority { issuer }
    }

    /// The authority's own certificate, PEM: what goes into `certs.d` as `ca.crt`.
    pub fn cert_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes the authority's certificate to `dir/name` and gives the path.
    pub fn write(&self, dir: &Path, name: &str) -> PathBuf {
        write_pem(dir, name, &self.cert_pem())
    }

    /// A server certificate for these DNS names and IP addresses.
    pub fn server(&self, hosts: &[&str]) -> Pair {
        self.sign(server_params(hosts))
    }

    /// A server certificate for these hosts whose last day was in 2021.
    pub fn expired_server(&self, hosts: &[&str]) -> Pair {
        let mut params = server_params(hosts);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// A client certificate whose common name is `name`.
    pub fn client(&self, name: &str) -> Pair {
        let mut params = params(name, &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Pair {
        params.use_authority_key_identifier_extension = true;
        let key = new_key();
        let cert = params.signed_by(&key, &self.issuer).expect("an authority signs what it is given");
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }
}

/// A self-signed server certificate that says CA:TRUE and names no usage: what `openssl req -x509` makes in docker's
/// documentation, accepted by Go where it is trusted itself, and by rustls only with a verifier of one's own.
pub fn self_signed_ca(hosts: &[&str]) -> Pair {
    self_signed_ca_until(hosts, 2049)
}

/// [`self_signed_ca`], but its last day was in 2021.
pub fn expired_self_signed_ca(hosts: &[&str]) -> Pair {
    self_signed_ca_until(hosts, 2021)
}

/// A TLS client that trusts these PEM certificates alone, with a client certificate where one is given.
pub fn client_config(trusted: &[&str], identity: Option<&Pair>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().expect("ring has the default versions");
    let builder = builder.with_root_certificates(roots(trusted));
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => builder.with_client_auth_cert(pair.chain(), pair.private_key()).expect("the pair fits together"),
    })
}

/// Writes `pem` to `dir/name`, making `dir`, and gives the path.
pub fn write_pem(dir: &Path, name: &str, pem: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    std::fs::write(&path, pem).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

fn self_signed_ca_until(hosts: &[&str], last_year: i32) -> Pair {
    let mut params = params(hosts.first().copied().unwrap_or("localhost"), hosts);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = new_key();
    let cert = params.self_signed(&key).expect("a certificate can sign itself");
    Pair { cert: cert.pem(), key: key.serialize_pem() }
}

fn server_params(hosts: &[&str]) -> CertificateParams {
    let mut params = params(hosts.first().copied().unwrap_or("localhost"), hosts);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("hosts are DNS names or IP addresses");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("ring makes P-256 keys")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(pems: &[&str]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    for pem in pems {
        for cert in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            store.add(cert.expect("the certificate is PEM")).expect("the certificate can be a trust anchor");
        }
    }
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_make_configurations_and_files() {
        let authority = Authority::new("testkit CA");
        let server = authority.server(&["localhost", "127.0.0.1", "::1"]);
        server.server_config(Some(&authority));
        client_config(&[&authority.cert_pem()], Some(&authority.client("alice")));
        self_signed_ca(&["registry.test"]).server_config(None);
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = server.write(&dir.path().join("host:5000"), "client.cert", "client.key");
        assert!(std::fs::read_to_string(cert).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(std::fs::read_to_string(key).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}
