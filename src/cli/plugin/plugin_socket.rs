//! The plugin socket: docker holds one end, and closes it to stop the plugin.
//!
//! Docker does so if it is stopped and the plugin does not share its terminal, so that the signal reaches docker alone.
//! Every change of the store is atomic, so the process may end at any moment. A command that must clean up handles the
//! request itself ([`InterruptHandler`]).

use std::io;
use std::os::unix::net::UnixStream;
use std::thread;

use crate::cli::docker_interrupt::InterruptHandler;
use crate::env::Env;

/// The exit code of a program that an interrupt ended. Docker's own plugins use it too.
const EXIT_INTERRUPTED: i32 = 130;

/// Ends this process when docker closes the socket of `DOCKER_CLI_PLUGIN_SOCKET`, unless the command handles the
/// interrupt.
///
/// Does nothing without that variable, or if the socket does not accept a connection.
pub fn watch(env: &Env, interrupts: &InterruptHandler) {
    let Some(address) = env.get("DOCKER_CLI_PLUGIN_SOCKET") else { return };
    if let Ok(socket) = connect(address) {
        let interrupts = interrupts.clone();
        // If no thread can be started, the command runs without the watch.
        let _ = thread::Builder::new().name("plugin-socket".to_owned()).spawn(move || {
            wait_for_end(socket);
            if !interrupts.handle_interrupt() {
                std::process::exit(EXIT_INTERRUPTED);
            }
        });
    }
}

/// Connects to a socket by its path, or by its abstract name after `@`.
fn connect(address: &str) -> io::Result<UnixStream> {
    match address.strip_prefix('@') {
        Some(name) => connect_abstract(name),
        None => UnixStream::connect(address),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn connect_abstract(name: &str) -> io::Result<UnixStream> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    UnixStream::connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn connect_abstract(_name: &str) -> io::Result<UnixStream> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Reads until the other end is closed. Docker never sends anything.
fn wait_for_end(mut socket: UnixStream) {
    // An error ends it, too.
    let _ = io::copy(&mut socket, &mut io::sink());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_wait_ends_when_docker_closes_the_socket_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stop");
        let listener = UnixListener::bind(&path).unwrap();
        let socket = connect(path.to_str().unwrap()).unwrap();
        let (mut docker, _) = listener.accept().unwrap();
        let waiting = thread::spawn(move || wait_for_end(socket));
        io::Write::write_all(&mut docker, b"not the end").unwrap();
        assert!(!waiting.is_finished());
        drop(docker);
        waiting.join().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn connect_accepts_an_abstract_name() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("docker_manifest_test_{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let socket = connect(&format!("@{name}")).unwrap();
        drop(listener.accept().unwrap());
        wait_for_end(socket);
    }

    #[test]
    fn watch_ignores_a_socket_without_a_listener() {
        assert!(connect("/nonexistent/socket").is_err());
        watch(&Env::from_pairs([("DOCKER_CLI_PLUGIN_SOCKET", "/nonexistent/socket")]), &InterruptHandler::default());
        watch(&Env::default(), &InterruptHandler::default());
    }
}
