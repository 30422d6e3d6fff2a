//! Signed tokens that docker-registry 2.8 takes: ES256, the signing certificate itself in the header's `x5c`, which
//! the registry checks against its `rootcertbundle` (one self-signed certificate is a whole chain to it).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

/// What a token opens in one repository.
#[derive(Debug, Clone)]
pub(super) struct Access {
    kind: String,
    pub(super) name: String,
    pub(super) actions: Vec<String>,
}

impl Access {
    /// Reads `repository:NAME:pull,push`; None where a part is missing.
    pub(super) fn parse(scope: &str) -> Option<Self> {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions = actions.split(',').map(str::to_owned).collect();
        Some(Self { kind: kind.into(), name: name.into(), actions })
    }

    fn json(&self) -> Value {
        json!({ "type": self.kind, "name": self.name, "actions": self.actions })
    }
}

/// A key made for this server, and its certificate.
pub(super) struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    pem: String,
    x5c: String,
    serial: AtomicU64,
}

impl Signer {
    /// A new key. The expectations hold wherever ring has its random source.
    pub(super) fn generate() -> Self {
        let pair = KeyPair::generate().expect("a P-256 key");
        let certificate = CertificateParams::default().self_signed(&pair).expect("a self-signed certificate");
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.serialized_der(), &random)
            .expect("the key just made");
        let x5c = STANDARD.encode(certificate.der());
        Self { key, random, pem: certificate.pem(), x5c, serial: AtomicU64::new(0) }
    }

    pub(super) fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// A token good from ten minutes before its end or from now, whichever is earlier, until `seconds` from now;
    /// a negative number gives one that has run out.
    pub(super) fn sign(&self, issuer: &str, audience: &str, subject: &str, access: &[Access], seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let expires = now + seconds;
        let begins = now.min(expires - 600);
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [self.x5c] });
        let claims = json!({
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "exp": expires,
            "nbf": begins,
            "iat": begins,
            "jti": format!("{}", self.serial.fetch_add(1, Ordering::Relaxed)),
            "access": access.iter().map(Access::json).collect::<Vec<_>>(),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(&self.random, text.as_bytes()).expect("ring's random source");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}
