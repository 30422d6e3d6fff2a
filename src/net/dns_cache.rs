//! Looks host names up: once for each host and command, however many connections are opened to it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, OnceLock};

use crate::sync::lock;

/// As many addresses as the HTTP library's list of them holds.
const ADDRESSES_MAX: usize = 16;

type Lookup = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type ResolvedName = OnceLock<Result<Vec<SocketAddr>, Arc<io::Error>>>;

/// The addresses of each host that the command has looked up so far.
pub(crate) struct DnsCache {
    lookup: Box<Lookup>,
    known: Mutex<BTreeMap<String, Arc<ResolvedName>>>,
}

impl Default for DnsCache {
    /// Uses the system's resolver, which has its own time limits.
    fn default() -> DnsCache {
        DnsCache::with_lookup(|host| Ok((host, 0).to_socket_addrs()?.take(ADDRESSES_MAX).collect()))
    }
}

impl DnsCache {
    fn with_lookup(lookup: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> DnsCache {
        DnsCache { lookup: Box::new(lookup), known: Mutex::default() }
    }

    /// The addresses of a host (IPv6 without brackets), with this port. Threads that ask during a lookup wait for its
    /// result.
    ///
    /// # Errors
    /// The resolver's error. It is not kept: the next call looks the name up again.
    pub(crate) fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Arc<io::Error>> {
        let host = host.to_ascii_lowercase();
        let entry = Arc::clone(lock(&self.known).entry(host.clone()).or_default());
        let found = entry.get_or_init(|| (self.lookup)(&host).map_err(Arc::new));
        if found.is_err() {
            let mut known = lock(&self.known);
            if known.get(&host).is_some_and(|kept| Arc::ptr_eq(kept, &entry)) {
                known.remove(&host);
            }
        }
        let with_port = |address: &SocketAddr| {
            let mut address = *address;
            address.set_port(port);
            address
        };
        found.as_ref().map(|found| found.iter().map(with_port).collect()).map_err(Arc::clone)
    }

    /// Makes the next call look the host up again: no connection succeeded to the known addresses.
    pub(crate) fn forget(&self, host: &str) {
        lock(&self.known).remove(&host.to_ascii_lowercase());
    }
}

impl fmt::Debug for DnsCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DnsCache")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    /// Counts the look-ups. The first of `flaky.example` fails.
    fn counting_cache() -> (DnsCache, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let cache = DnsCache::with_lookup(move |host| {
            let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
            if is_first && host == "flaky.example" {
                return Err(io::Error::other("try again"));
            }
            Ok(vec!["192.0.2.7:0".parse().unwrap()])
        });
        (cache, count)
    }

    #[test]
    fn host_is_looked_up_once_for_all_connections() {
        let (cache, count) = counting_cache();
        thread::scope(|scope| {
            for port in [443, 5000, 443, 8080] {
                let cache = &cache;
                scope.spawn(move || {
                    let found = cache.addresses("Registry.example", port).unwrap();
                    assert_eq!(found, [format!("192.0.2.7:{port}").parse().unwrap()]);
                });
            }
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
        cache.forget("registry.example");
        assert!(cache.addresses("registry.example", 443).is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 2, "forgotten, so looked up again");
    }

    #[test]
    fn failed_lookup_is_not_cached() {
        let (cache, count) = counting_cache();
        assert_eq!(cache.addresses("flaky.example", 443).unwrap_err().to_string(), "try again");
        assert!(cache.addresses("flaky.example", 443).is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn system_resolver_accepts_ip_addresses() {
        let cache = DnsCache::default();
        assert_eq!(cache.addresses("127.0.0.1", 5000).unwrap(), ["127.0.0.1:5000".parse().unwrap()]);
        assert_eq!(cache.addresses("::1", 5000).unwrap(), ["[::1]:5000".parse().unwrap()]);
        assert!(cache.addresses("no such name", 1).is_err());
    }
}
