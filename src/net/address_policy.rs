//! Refuses private addresses for the token server of a public registry. A public registry that names a realm at
//! `10.0.0.1` or `169.254.169.254` would use this program to reach hosts that it cannot reach itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use crate::net::host;
use crate::sync::lock;

/// Whether each registry was found at a public address.
#[derive(Debug, Default)]
pub(crate) struct PublicRegistries(Mutex<BTreeMap<String, bool>>);

impl PublicRegistries {
    /// Records whether a registry has a public address. Once public it stays public: its own name server could answer
    /// otherwise the next time.
    pub(crate) fn note(&self, registry: &str, is_public: bool) {
        *lock(&self.0).entry(registry.to_owned()).or_default() |= is_public;
    }

    /// Whether the registry is known to be public.
    pub(crate) fn is_public(&self, registry: &str) -> bool {
        lock(&self.0).get(registry).copied().unwrap_or(false)
    }
}

/// Which addresses of a host may be contacted.
#[derive(Debug, Default, Clone)]
pub(crate) enum AddressPolicy {
    /// All.
    #[default]
    Anywhere,
    /// All: the host is the registry's own. Records whether they are public.
    Home(Arc<PublicRegistries>, String),
    /// The registry named the host. If the registry is public, private addresses are refused.
    Guarded(Arc<PublicRegistries>, String),
}

impl AddressPolicy {
    /// The address that must not be contacted, if there is one.
    pub(crate) fn forbidden(&self, addresses: &[SocketAddr]) -> Option<IpAddr> {
        match self {
            AddressPolicy::Anywhere => None,
            AddressPolicy::Home(homes, registry) => {
                // One public address suffices: the others may be there to deceive.
                homes.note(registry, addresses.iter().any(|address| host::is_public(address.ip())));
                None
            }
            AddressPolicy::Guarded(homes, registry) if homes.is_public(registry) => {
                addresses.iter().map(SocketAddr::ip).find(|address| !host::is_public(*address))
            }
            AddressPolicy::Guarded(..) => None,
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
    fn only_a_public_registry_is_kept_out_of_private_networks() {
        let homes = Arc::new(PublicRegistries::default());
        let guarded = AddressPolicy::Guarded(Arc::clone(&homes), "h".to_owned());
        let inside = addresses(&["10.0.0.1"]);
        assert_eq!(guarded.forbidden(&inside), None, "nothing is known of h");
        let home = AddressPolicy::Home(Arc::clone(&homes), "h".to_owned());
        assert_eq!(home.forbidden(&addresses(&["192.168.0.9"])), None);
        assert_eq!(guarded.forbidden(&inside), None, "h is inside itself");
        assert_eq!(home.forbidden(&addresses(&["192.168.0.9", "93.184.216.34"])), None);
        assert_eq!(guarded.forbidden(&inside), Some(inside[0].ip()));
        assert_eq!(guarded.forbidden(&addresses(&["93.184.216.34", "::1"])), Some("::1".parse().unwrap()));
        assert_eq!(guarded.forbidden(&addresses(&["93.184.216.34"])), None);
        assert_eq!(home.forbidden(&inside), None);
        assert_eq!(guarded.forbidden(&inside), Some(inside[0].ip()), "its name server has changed its mind");
        assert_eq!(AddressPolicy::Guarded(homes, "other".to_owned()).forbidden(&inside), None);
    }
}
