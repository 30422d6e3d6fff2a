//! Verifies server certificates.
//!
//! Beside the system's roots and the authorities of certs.d there is docker's documented way: a self-signed certificate
//! that claims to be an authority (as `openssl req -x509` makes it) is put into certs.d. Go accepts it as a server's
//! certificate; webpki refuses every authority in that role. So if the same certificate is in certs.d, this one
//! objection is ignored. Name and dates are still checked.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use crate::net::tls::system_roots::SystemRoots;

/// There is no authority to verify a certificate with. The text says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoTrustAnchors(pub(crate) String);

/// Verifies chain, name and dates.
#[derive(Debug)]
pub(crate) struct CertificateVerifier {
    system: Arc<SystemRoots>,
    certs_d: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    // Made for the first certificate, so that a registry with plain HTTP never causes reading the system's roots.
    file_verifier: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
    full_verifier: OnceLock<Result<Arc<WebPkiServerVerifier>, Error>>,
}

impl CertificateVerifier {
    /// Trusts the system's roots and these certificates of certs.d.
    pub(crate) fn new(
        system: Arc<SystemRoots>,
        certs_d: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> CertificateVerifier {
        let (file_verifier, full_verifier) = Default::default();
        CertificateVerifier { system, certs_d, provider, file_verifier, full_verifier }
    }

    /// Trusts the system's file and certs.d; `None` if there is no authority in them.
    fn file_verifier(&self) -> Option<&WebPkiServerVerifier> {
        self.file_verifier.get_or_init(|| self.build_verifier(self.system.file_certificates()).ok()).as_deref()
    }

    /// Trusts the system's directories too.
    fn full_verifier(&self) -> Result<&WebPkiServerVerifier, Error> {
        let verifier = self.full_verifier.get_or_init(|| {
            let (system, read_errors) = self.system.all();
            self.build_verifier(system).map_err(|_| {
                let separator = if read_errors.is_empty() { "" } else { ": " };
                let text = format!("no certificate authorities were found on this system{separator}{read_errors}");
                Error::Other(OtherError(Arc::new(NoTrustAnchors(text))))
            })
        });
        verifier.as_deref().map_err(Clone::clone)
    }

    fn build_verifier(
        &self,
        system: &[CertificateDer<'static>],
    ) -> Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system.iter().chain(&self.certs_d).cloned());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build()
    }
}

/// Methods that check a signature, each by a function.
macro_rules! signature_methods {
    ($($method:ident: $check:path),*) => {
        $(fn $method(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            $check(message, cert, dss, &self.provider.signature_verification_algorithms)
        })*
    };
}

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let check = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        if let Some(Ok(verified)) = self.file_verifier().map(check) {
            return Ok(verified);
        }
        let checked = check(self.full_verifier()?);
        let Err(error) = checked else { return checked };
        // webpki checks the dates before this, so the certificate is in date here.
        let is_ca = matches!(&error, Error::InvalidCertificate(reason) if is_ca_as_end_entity(reason));
        if is_ca && (self.certs_d.contains(end_entity) || self.system.all().0.contains(end_entity)) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        Err(error)
    }

    signature_methods! {
        verify_tls12_signature: crypto::verify_tls12_signature,
        verify_tls13_signature: crypto::verify_tls13_signature
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the only objection to a certificate is that it claims to be an authority.
///
/// webpki is not a dependency of ours, so its error is recognised by its name. Tests check the name.
pub(crate) fn is_ca_as_end_entity(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity")
}

/// Accepts every certificate: `--insecure`.
#[derive(Debug)]
pub(crate) struct NoVerification {
    pub(crate) provider: Arc<CryptoProvider>,
}

/// Accepts every signature.
fn unverified(
    _: &[u8],
    _: &CertificateDer<'_>,
    _: &DigitallySignedStruct,
    _: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    Ok(HandshakeSignatureValid::assertion())
}

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    signature_methods! { verify_tls12_signature: unverified, verify_tls13_signature: unverified }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.provider.signature_verification_algorithms.supported_schemes();
        // Nothing is verified, so schemes that ring cannot verify are offered too. Go would accept their keys here.
        schemes.extend([SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::RSA_PKCS1_SHA1]);
        schemes
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;
    use testkit::certs::Authority;

    use super::*;
    use crate::env::Env;

    #[test]
    fn root_directories_are_read_only_if_the_root_file_does_not_suffice() {
        let directory = tempfile::tempdir().unwrap();
        let (of_file, of_directory) = (Authority::new("file"), Authority::new("directory"));
        let file = of_file.write(directory.path(), "file.pem");
        let other = of_directory.write(&directory.path().join("roots"), "other.pem");
        let settings = [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", other.parent().unwrap().to_owned())];
        let env = Env::from_pairs(settings.map(|(name, path)| (name, path.to_str().unwrap().to_owned())));
        let system = Arc::new(SystemRoots::new(&env));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = CertificateVerifier::new(Arc::clone(&system), Vec::new(), provider);
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let verify = |authority: &Authority| {
            let pair = authority.server(&["127.0.0.1"]);
            let certificate = CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap();
            verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now())
        };
        verify(&of_file).unwrap();
        assert!(!system.has_read_directories());
        verify(&of_directory).unwrap();
        assert!(system.has_read_directories());
        let unknown = verify(&Authority::new("nobody's")).unwrap_err();
        assert_eq!(unknown, Error::InvalidCertificate(CertificateError::UnknownIssuer));
    }
}
