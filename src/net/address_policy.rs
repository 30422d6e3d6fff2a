//! Refuses private addresses for the token server of a public registry. A public registry that names a realm at
//! `10.0.0.1` or `169.254.169.254` would use this program to reach hosts that it cannot reach itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::net::host;
use crate::sync::lock;

/// Whether each registry was found at a public address. Once public it stays public: its own name server could answer
/// otherwise the next time.
#[derive(Debug, Default)]
pub(crate) struct PublicRegistries(Mutex<BTreeMap<String, Arc<AtomicBool>>>);

impl PublicRegistries {
    /// Whether the registry is known to be public.
    pub(crate) fn is_public_flag(&self, registry: &str) -> Arc<AtomicBool> {
        Arc::clone(lock(&self.0).entry(registry.to_owned()).or_default())
    }
}

/// Which addresses of a host may be contacted.
#[derive(Debug, Default, Clone)]
pub(crate) enum AddressPolicy {
    /// All.
    #[default]
    Unrestricted,
    /// All: the host is the registry's own. Records whether they are public.
    RegistryHost(Arc<AtomicBool>),
    /// The registry named the host. If the registry is public, private addresses are refused.
    NamedByRegistry(Arc<AtomicBool>),
}

impl AddressPolicy {
    /// Returns the address that must not be contacted, if there is one. Records whether the addresses of the registry's
    /// own host are public.
    pub(crate) fn record_and_find_forbidden(&self, addresses: &[SocketAddr]) -> Option<IpAddr> {
        match self {
            AddressPolicy::Unrestricted => None,
            AddressPolicy::RegistryHost(is_public) => {
                // One public address suffices: the others may be there to deceive.
                is_public.fetch_or(addresses.iter().any(|address| host::is_public(address.ip())), Ordering::Relaxed);
                None
            }
            AddressPolicy::NamedByRegistry(is_public) if is_public.load(Ordering::Relaxed) => {
                addresses.iter().map(SocketAddr::ip).find(|address| !host::is_public(*address))
            }
            AddressPolicy::NamedByRegistry(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 443)).collect()
    }

    #[test]
    fn private_addresses_are_refused_only_for_public_registries() {
        let public = PublicRegistries::default();
        let named_by_registry = AddressPolicy::NamedByRegistry(public.is_public_flag("h"));
        let private = addresses(&["10.0.0.1"]);
        assert_eq!(named_by_registry.record_and_find_forbidden(&private), None, "nothing is known of h");
        let registry_host = AddressPolicy::RegistryHost(public.is_public_flag("h"));
        assert_eq!(registry_host.record_and_find_forbidden(&addresses(&["192.168.0.9"])), None);
        assert_eq!(named_by_registry.record_and_find_forbidden(&private), None, "h is in a private network itself");
        assert_eq!(registry_host.record_and_find_forbidden(&addresses(&["192.168.0.9", "93.184.216.34"])), None);
        assert_eq!(named_by_registry.record_and_find_forbidden(&private), Some(private[0].ip()));
        assert_eq!(
            named_by_registry.record_and_find_forbidden(&addresses(&["93.184.216.34", "::1"])),
            Some("::1".parse().unwrap())
        );
        assert_eq!(named_by_registry.record_and_find_forbidden(&addresses(&["93.184.216.34"])), None);
        assert_eq!(registry_host.record_and_find_forbidden(&private), None);
        assert_eq!(
            named_by_registry.record_and_find_forbidden(&private),
            Some(private[0].ip()),
            "its name server has changed"
        );
        assert_eq!(
            AddressPolicy::NamedByRegistry(public.is_public_flag("other")).record_and_find_forbidden(&private),
            None
        );
    }
}
