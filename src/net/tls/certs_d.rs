//! Certificates for each host, as docker keeps them: `/etc/docker/certs.d/HOST[:PORT]/`.
//!
//! As in docker, the directory is not opened for Docker Hub, for loopback names, and with `--insecure`.
//!
//! `*.crt` are authorities. Content that is not a certificate is ignored, as in docker. `NAME.cert` and `NAME.key` are
//! a client's pair: a missing half, or a file that cannot be used, is an error that names the file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::env::Env;
use crate::net::file_access_error;
use crate::net::tls::identity::issuer;

/// The content of one host's directory.
#[derive(Debug, Default)]
pub(crate) struct HostCertificates {
    /// The authorities.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    /// The client's key pairs, in the order of their names.
    pub(crate) client_pairs: Vec<Arc<CertifiedKey>>,
}

/// The directory of all hosts: docker's, or in rootless mode the user's.
pub fn directory(env: &Env) -> PathBuf {
    let rootless = env.get("ROOTLESSKIT_STATE_DIR").and_then(|_| {
        let home = || env.get("HOME").map(|home| Path::new(home).join(".config"));
        env.get("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)
    });
    rootless.map_or_else(|| PathBuf::from("/etc/docker/certs.d"), |config| config.join("docker/certs.d"))
}

impl HostCertificates {
    /// Reads one host's directory. A missing directory is empty. The error names the file.
    pub(crate) fn read(dir: &Path, provider: &CryptoProvider) -> Result<HostCertificates, String> {
        let names = match file_names(dir) {
            Ok(names) => names,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(HostCertificates::default());
            }
            Err(error) => return Err(format!("{}: {}", dir.display(), file_access_error::describe(dir, &error))),
        };
        let mut files = HostCertificates::default();
        for name in &names {
            match name.rsplit_once('.') {
                Some((_, "crt")) => {
                    files.authorities.extend(CertificateDer::pem_slice_iter(&read(&dir.join(name))?).flatten())
                }
                Some((stem, "cert")) => {
                    let key = format!("{stem}.key");
                    if !names.contains(&key) {
                        return Err(format!(
                            "missing key {key} for client certificate {name}. CA certificates must use the extension \
                             .crt (in {})",
                            dir.display()
                        ));
                    }
                    files.client_pairs.push(Arc::new(read_pair(&dir.join(name), &dir.join(key), provider)?));
                }
                Some((stem, "key")) if !names.contains(&format!("{stem}.cert")) => {
                    let dir = dir.display();
                    return Err(format!("missing client certificate {stem}.cert for key {name} (in {dir})"));
                }
                _ => {}
            }
        }
        Ok(files)
    }
}

fn file_names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        // A name that is not UTF-8 cannot have a usable counterpart.
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {}", path.display(), file_access_error::describe(path, &error)))
}

fn read_pair(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let named = |path: &Path, reason: &str| format!("{}: {reason}", path.display());
    let bad_cert = || named(cert, "no usable PEM certificate");
    let pem = read(cert)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|_| bad_cert())?;
    if chain.is_empty() || chain.iter().any(|certificate| issuer(certificate).is_none()) {
        return Err(bad_cert());
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| named(key, "no PEM private key (one with a passphrase cannot be used)"))?;
    let signer = provider
        .key_provider
        .load_private_key(private)
        .map_err(|_| named(key, "not a private key of a kind that can be used (RSA, ECDSA P-256 or P-384, Ed25519)"))?;
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(format!("{} and {} are not a pair", cert.display(), key.display()))
        }
        // Other errors concern version 1 certificates, which webpki cannot read and servers accept.
        _ => Ok(pair),
    }
}
