//! A network of a test's own, with a registry host that is not loopback.
//!
//! Docker treats loopback names apart: it skips certs.d for them and pushes over plain HTTP. To compare with docker
//! how certificates are handled, a test needs another name, and gets it from a network namespace: an address
//! outside 127.0.0.0/8 on the namespace's own `lo`, and a hosts file of its own that names it.
//!
//! `ip netns exec` binds what lies in `/etc/netns/NAME/` over `/etc/`, file by file, and only over what exists; so
//! `/etc/hosts` is replaced that way, while certs.d has to come from the rootless place
//! (`ROOTLESSKIT_STATE_DIR` and `XDG_CONFIG_HOME`), which docker and ours both read.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sandbox::on_path;
use crate::skip::{skipped, skipped_unsupported};

/// The address of `HOST` inside a namespace. Every namespace has its own, so all can have the same.
pub const ADDRESS: &str = "10.213.0.1";
/// The name for `ADDRESS` in the namespace's hosts file.
pub const HOST: &str = "registry.test";
/// A second name for `ADDRESS`, for which no certificate need be good.
pub const OTHER_HOST: &str = "other.test";

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A network namespace; it is removed when dropped, the processes in it should have ended before.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one with `lo` up, `ADDRESS` on it and the hosts file in place. The error says why this machine gives
    /// none: no `ip`, not root, or no right to make namespaces.
    pub fn create() -> Result<Self, String> {
        let name = format!("dm-test-{}-{}", process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        ip(["netns", "add", &name])?;
        // From here on, dropping removes it again.
        let netns = Self { name };
        ip(["-n", &netns.name, "link", "set", "lo", "up"])?;
        ip(["-n", &netns.name, "addr", "add", &format!("{ADDRESS}/32"), "dev", "lo"])?;
        let etc = netns.etc();
        let hosts = format!("127.0.0.1 localhost\n{ADDRESS} {HOST} {OTHER_HOST}\n");
        fs::create_dir_all(&etc)
            .and_then(|()| fs::write(etc.join("hosts"), hosts))
            .map_err(|error| format!("{}: {error}", etc.display()))?;
        let output = netns.command("cat").arg("/etc/hosts").output().map_err(|error| error.to_string())?;
        if !String::from_utf8_lossy(&output.stdout).contains(HOST) {
            return Err(format!("ip netns exec: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(netns)
    }

    /// The same. Where none can be made, says that `check` was not checked.
    pub fn create_or_skip(check: &str) -> Option<Self> {
        let skip = if on_path("ip") { skipped_unsupported } else { skipped };
        Self::create().inspect_err(|reason| skip(check, reason)).ok()
    }

    /// The namespace's name, as `ip netns list` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside; give it arguments and environment as any other.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    fn etc(&self) -> PathBuf {
        PathBuf::from("/etc/netns").join(&self.name)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = ip(["netns", "del", &self.name]);
        let _ = fs::remove_dir_all(self.etc());
        // /etc/netns itself stays: removing it could pull it from under another test's `create`.
    }
}

fn ip<const N: usize>(args: [&str; N]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "no `ip` command (package iproute2)".to_owned(),
        _ => format!("ip: {error}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {} (root is needed)", args.join(" "), words.trim()))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Stdio};

    use super::*;

    /// Listens inside on the one address and port that both namespaces have, and says `word` to who connects.
    fn listener(netns: &Netns, word: &str) -> Child {
        let script = "use IO::Socket::INET; $s = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => 5000, \
                      Listen => 1) or die; $| = 1; print \"ready\\n\"; $c = $s->accept; print $c \"$ARGV[1]\\n\";";
        let mut command = netns.command("perl");
        let mut child =
            command.args(["-e", script, ADDRESS, word]).stdout(Stdio::piped()).spawn().expect("ip netns exec perl");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        child
    }

    fn heard(netns: &Netns) -> String {
        let script = format!("exec 3<>/dev/tcp/{HOST}/5000 && cat <&3");
        let output = netns.command("bash").args(["-c", &script]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn two_namespaces_work_concurrently_and_are_removed() {
        let create = || Netns::create_or_skip("network namespaces");
        let (Some(first), Some(second)) = (create(), create()) else { return };
        let mut listeners = [listener(&first, "first"), listener(&second, "second")];
        assert_eq!((heard(&first), heard(&second)), ("first\n".to_owned(), "second\n".to_owned()));
        for listener in &mut listeners {
            listener.wait().unwrap();
        }
        let paths = [first.etc(), second.etc()];
        let names = [first.name().to_owned(), second.name().to_owned()];
        drop((first, second));
        let list = Command::new("ip").args(["netns", "list"]).output().unwrap();
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        assert!(names.iter().all(|name| !list.contains(name.as_str())), "{list}");
        assert!(paths.iter().all(|path| !path.exists()));
    }
}
