//! The plugin in the real docker client: docker finds it, runs it, passes its exit code through and stops it.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;

use testkit::sandbox::{HANG_TIMEOUT, Sandbox, SandboxCommand, on_path};
use testkit::skip::skipped;

use super::OURS;

/// A sandbox whose docker has the plugin, as `make install` puts it there; none, said loudly, without a docker.
pub(crate) fn installed(what: &str) -> Option<Sandbox> {
    if !on_path("docker") {
        skipped(what, "there is no docker client to run the plugin");
        return None;
    }
    let sandbox = Sandbox::new();
    let plugins = sandbox.docker_config().join("cli-plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    std::os::unix::fs::symlink(OURS, plugins.join("docker-manifests")).unwrap();
    Some(sandbox)
}

fn docker(sandbox: &Sandbox, line: &[&str]) -> SandboxCommand {
    sandbox.command("docker").args(line.iter().copied())
}

#[test]
fn docker_lists_the_plugin_with_its_version() {
    let Some(sandbox) = installed("the plugin in docker info") else { return };
    // Without an engine docker still tells about itself, with exit code 1 in some versions.
    let info = docker(&sandbox, &["info", "-f", "{{json .ClientInfo.Plugins}}"]).run();
    let plugins: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
    let ours = plugins.as_array().unwrap().iter().find(|plugin| plugin["Name"] == "manifests").unwrap();
    assert_eq!(ours["Version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(ours["Vendor"], "docker-manifest authors");
    assert!(ours.get("Err").is_none(), "{ours}");
    let overview = docker(&sandbox, &["--help"]).run().success().out();
    assert!(overview.lines().any(|line| line.trim_start().starts_with("manifests*")), "{overview}");
}

#[test]
fn docker_passes_exit_codes_and_output_of_the_plugin_through() {
    let Some(sandbox) = installed("exit codes through docker") else { return };
    let cases = [
        (&["manifests", "create", "x"][..], 1, "docker: 'docker manifests create' requires at least 2 arguments"),
        (&["manifests", "create", "--bogus"], 125, "unknown flag: --bogus"),
        (&["-D", "--log-level=debug", "manifests", "push", "-x"], 125, "unknown shorthand flag: 'x' in -x"),
        (&["manifests", "bogus"], 1, "docker: unknown command: docker manifests bogus"),
        (&["help", "manifests", "bogus"], 1, "unknown help topic: bogus"),
        (
            &["--tls=false", "-H", "tcp://127.0.0.1:1", "manifests", "rm"],
            1,
            "docker: 'docker manifests rm' requires at least 1 argument",
        ),
        (&["manifests", "rm", "nothing"], 1, "No such manifest: docker.io/library/nothing:latest"),
    ];
    for (line, code, first) in cases {
        let output = docker(&sandbox, line).run();
        assert_eq!((output.code, output.first_err_line().as_str()), (code, first), "{line:?}");
    }
}

#[test]
fn plugin_help_uses_the_name_that_was_called() {
    let Some(sandbox) = installed("help through docker") else { return };
    for line in [&["help", "manifests", "push"][..], &["manifests", "push", "--help"], &["--help", "manifests", "push"]]
    {
        let output = docker(&sandbox, line).run().success();
        assert!(output.out().starts_with("Usage:  docker manifests push [OPTIONS] MANIFEST_LIST\n"), "{line:?}");
        assert_eq!(output.err(), "", "{line:?}");
    }
    let none = docker(&sandbox, &["manifests"]).run().success();
    assert_eq!(none.out(), "");
    assert!(none.err().starts_with("Usage:  docker manifests COMMAND\n"), "{}", none.err());
}

/// An entry as docker's first versions wrote it, which is short, and which both tools still read.
pub(crate) fn old_entry(image: &str) -> String {
    let manifest = concat!(
        r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","#,
        r#""config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":2,"#,
        r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}"#
    );
    // Of the manifest as docker prints it, indented by three spaces.
    let digest = "sha256:c512d672400a70f985a0b560012538262a2d5803ecde325dcf0162d3616cddeb";
    let platform = r#"{"architecture":"amd64","os":"linux"}"#;
    format!(r#"{{"Ref":"{image}","Digest":"{digest}","Platform":{platform},"SchemaV2Manifest":{manifest}}}"#)
}

/// A draft of one image in a configuration directory.
fn write_draft(sandbox: &Sandbox, config: &str, list: &str) -> PathBuf {
    let name = format!("{config}/manifests/docker.io_library_{list}-latest");
    sandbox.write(format!("{name}/docker.io_library_i-1"), old_entry("docker.io/library/i:1"));
    sandbox.path().join(name)
}

#[test]
fn the_plugin_uses_dockers_configuration_directory() {
    let Some(sandbox) = installed("--config through docker") else { return };
    for (at, flags) in
        [&["--config", "other"][..], &["--config=other"], &["-D", "--config", "home", "--config", "other"]]
            .iter()
            .enumerate()
    {
        // Docker looks for plugins in that directory too.
        let plugins = sandbox.path().join("other/cli-plugins");
        std::fs::create_dir_all(&plugins).unwrap();
        let _ = std::os::unix::fs::symlink(OURS, plugins.join("docker-manifests"));
        let list = format!("x{at}");
        let (default, other) = (write_draft(&sandbox, "home/docker", &list), write_draft(&sandbox, "other", &list));
        let run = sandbox.command("docker").args(flags.iter().copied()).args(["manifests", "rm", &list]).run();
        assert_eq!((run.code, run.err()), (0, String::new()), "{flags:?}");
        assert!(default.is_dir() && !other.exists(), "{flags:?}");
        let standalone = sandbox.command(OURS).args(["--config", "home/docker", "rm", &list]).run();
        assert_eq!((standalone.code, standalone.err()), (0, String::new()), "{flags:?}");
        assert!(!default.exists(), "{flags:?}");
    }
}

#[test]
fn the_plugin_metadata_equals_the_file() {
    let output = Sandbox::new().command(OURS).arg("docker-cli-plugin-metadata").run().success();
    assert_eq!(output.out(), include_str!("../../docker-cli-plugin-metadata"));
}

/// Starts a program that asks a registry which never answers, and gives the connection that it waits on.
fn start_waiting(run: &SandboxCommand, registry: TcpListener) -> (Child, TcpStream) {
    let mut command = run.to_command();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (sender, accepted) = channel();
    std::thread::spawn(move || sender.send(registry.accept()));
    match accepted.recv_timeout(HANG_TIMEOUT) {
        Ok(Ok((connection, _))) => (child, connection),
        other => {
            let _ = child.kill();
            panic!("it never asked the registry: {other:?}, {:?}", child.wait())
        }
    }
}

#[test]
fn the_plugin_ends_when_docker_closes_its_socket() {
    let sandbox = Sandbox::new();
    let path = sandbox.path().join("stop");
    let stop = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("{}/x:1", registry.local_addr().unwrap());
    let run = sandbox.command(OURS).args(["inspect", "--insecure", &image]).env("DOCKER_CLI_PLUGIN_SOCKET", &path);
    // Nothing but the socket can end it now.
    let (mut child, _connection) = start_waiting(&run, registry);
    let (docker, _) = stop.accept().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    drop(docker);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_signal_to_docker_stops_the_plugin() {
    let Some(sandbox) = installed("stopping through docker") else { return };
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("{}/x:1", registry.local_addr().unwrap());
    let run = docker(&sandbox, &["manifests", "inspect", "--insecure", &image]);
    let (mut child, mut connection) = start_waiting(&run, registry);
    let kill = sandbox.command("kill").args(["-TERM".to_owned(), child.id().to_string()]).run();
    assert_eq!(kill.code, 0, "{}", kill.err());
    // The plugin's end closes its connection; until then this reads its request and waits.
    let mut request = Vec::new();
    let _ = connection.read_to_end(&mut request);
    assert!(!child.wait().unwrap().success());
}
