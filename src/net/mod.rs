//! HTTP for registries: connections, TLS, proxies, redirects, retries, rate limits, deadlines and redaction.

pub mod absolute_form;
pub mod address_policy;
pub mod body;
pub mod buffers;
pub mod clock;
pub mod connections;
pub mod connector;
pub mod deadline;
pub mod dns_cache;
pub mod endpoint;
pub mod error;
pub mod error_response;
pub mod file_access_error;
pub mod host;
pub mod options;
pub mod preconnect;
pub mod proxy;
pub mod rate_limit;
pub mod redact;
pub mod redirect;
pub mod response;
pub mod retry;
pub mod socket;
pub mod tasks;
pub mod tls;
pub mod transport;
pub mod transport_error;
pub mod url;

pub use clock::{Clock, SystemClock};
pub use endpoint::certs_d_name;
pub use error::{ContactedServer, FailedRequest, RegistryError, RegistryErrorKind, ServerNamedBy};
pub use options::{ClientOptions, Login};
pub use tls::certs_d::directory as certs_d_directory;
pub use transport::LineSink;
