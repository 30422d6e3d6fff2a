//! Runs docker's credential helpers, `docker-credential-NAME get`.
//!
//! The protocol is that of docker-credential-helpers: the server's address on stdin, a JSON object on stdout; a failure
//! is an exit code and a message on stdout. Docker ignores every failure. Here only "not found" means that there are no
//! credentials.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::env::Env;
use crate::io_message::io_message;
use crate::net::deadline::format_duration;
use crate::secret::Secret;

const NOT_FOUND_MESSAGE: &str = "credentials not found in native keychain";
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
const MESSAGE_CHARS_MAX: usize = 200;

/// The credentials that a helper returns. The user name `<token>` means that the secret is an identity token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HelperCredentials {
    /// The user's name.
    pub(crate) username: String,
    /// The password or token.
    pub(crate) secret: Secret,
}

/// The path of `docker-credential-NAME` by the environment's `PATH`; `None` if it is not installed.
pub(crate) fn find_helper(env: &Env, name: &str) -> Option<PathBuf> {
    find_program(env, &format!("docker-credential-{name}"))
}

/// The path of an executable by the environment's `PATH`. Relative directories in `PATH` are ignored, as in Go.
pub(crate) fn find_program(env: &Env, name: &str) -> Option<PathBuf> {
    let path = env.get("PATH").unwrap_or_default();
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file())
}

/// Runs a helper for `server`. `None` if the helper reports that it has no credentials.
///
/// The error is one line that names the helper and contains no secret. The only time limit is `time_left`, the rest of
/// `--timeout`, because a helper may wait until its user unlocks a keychain. A helper that takes longer is killed.
pub(crate) fn get_credentials(
    env: &Env,
    name: &str,
    server: &str,
    time_left: Option<Duration>,
) -> Result<Option<HelperCredentials>, HelperError> {
    if !is_helper_name(name) {
        return Err(HelperError::new(format!("{:?} is not a credential helper's name", first_printable_line(name))));
    }
    let Some(program) = find_helper(env, name) else {
        return Err(HelperError::new(format!("credential helper docker-credential-{name} is not in PATH")));
    };
    run(&program, server, time_left).map_err(|HelperError { reason, is_timeout }| HelperError {
        reason: format!("credential helper docker-credential-{name}: {reason}"),
        is_timeout,
    })
}

/// Why a helper returned no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HelperError {
    /// One line, without secrets.
    pub(crate) reason: String,
    /// Whether the deadline passed.
    pub(crate) is_timeout: bool,
}

impl HelperError {
    fn new(message: impl Into<String>) -> HelperError {
        HelperError { reason: message.into(), is_timeout: false }
    }
}

fn is_helper_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn run(program: &Path, server: &str, time_left: Option<Duration>) -> Result<Option<HelperCredentials>, HelperError> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| HelperError::new(format!("cannot be run: {}", io_message(&error))))?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(server.as_bytes()));
    // Reads both pipes at once, because a helper blocks once a pipe that is not read is full. The threads are detached:
    // a process that the helper started may keep a pipe open after the helper was killed.
    let (stdout, stderr) = (spawn_reader(child.stdout.take()), spawn_reader(child.stderr.take()));
    let until = time_left.and_then(|left| Instant::now().checked_add(left));
    let outcome = receive_output(&stdout, until).and_then(|stdout| Some((stdout, receive_output(&stderr, until)?)));
    let Some((stdout, stderr)) = outcome else {
        let _ = child.kill();
        let _ = child.wait();
        let reason = format!(
            "gave no answer within the {} that were left of --timeout",
            format_duration(time_left.unwrap_or_default())
        );
        return Err(HelperError { reason, is_timeout: true });
    };
    let status = child.wait().map_err(|error| HelperError::new(io_message(&error)))?;
    if !status.success() {
        return explain_exit(&stdout, &stderr, &status.to_string()).map_err(HelperError::new);
    }
    match written {
        // A helper that answers without reading has closed the pipe. Its answer counts.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(HelperError::new(format!("does not take the server's name: {}", io_message(&error))))
        }
        _ => parse_output(&stdout).map(Some).map_err(HelperError::new),
    }
}

/// Reads a pipe to its end on a thread of its own. If the system has no thread for it, the pipe is closed without
/// reading.
fn spawn_reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = pipe {
        // After the deadline no receiver is left.
        let read = move || drop(sender.send(read_capped(pipe)));
        drop(std::thread::Builder::new().spawn(read));
    }
    receiver
}

/// The bytes that a reader has read; empty if it could not start. `None` after the deadline.
fn receive_output(reader: &Receiver<Vec<u8>>, until: Option<Instant>) -> Option<Vec<u8>> {
    let Some(until) = until else { return Some(reader.recv().unwrap_or_default()) };
    match reader.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(bytes) => Some(bytes),
        Err(RecvTimeoutError::Disconnected) => Some(Vec::new()),
        Err(RecvTimeoutError::Timeout) => None,
    }
}

/// Reads to the end and keeps the first megabyte.
fn read_capped(mut from: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let whole = from.by_ref().take(OUTPUT_BYTES_MAX).read_to_end(&mut kept);
    if whole.is_ok() {
        let _ = std::io::copy(&mut from, &mut std::io::sink());
    }
    kept
}

/// The message of a helper that failed: that it has no credentials, or why it failed. Text that may contain a secret is
/// left out.
pub(crate) fn explain_exit(stdout: &[u8], stderr: &[u8], status: &str) -> Result<Option<HelperCredentials>, String> {
    let (stdout, stderr) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
    let (stdout, stderr) = (stdout.trim(), stderr.trim());
    if stdout == NOT_FOUND_MESSAGE {
        return Ok(None);
    }
    // JSON may contain a secret although the helper failed, and stderr may repeat it. A single word may be a secret
    // too, so only a sentence is shown.
    let is_json = [stdout, stderr].iter().any(|text| text.contains(['{', '}']) || text.contains("\":"));
    let is_sentence = |text: &&str| text.split_whitespace().nth(1).is_some();
    match [stdout, stderr].into_iter().filter(|_| !is_json).find(is_sentence) {
        Some(words) => Err(format!("{} ({status})", first_printable_line(words))),
        None => Err(format!("failed without a word ({status})")),
    }
}

/// The first line, without control characters, at most 200 characters of it.
fn first_printable_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

/// Reads the credentials that a helper printed.
pub(crate) fn parse_output(stdout: &[u8]) -> Result<HelperCredentials, String> {
    #[derive(serde::Deserialize)]
    struct HelperOutput {
        #[serde(rename = "Username", alias = "username", default)]
        username: Option<String>,
        #[serde(rename = "Secret", alias = "secret", default)]
        secret: Option<String>,
    }
    // serde's message may quote the output, and the output is the secret.
    let output: HelperOutput = serde_json::Deserializer::from_slice(stdout)
        .into_iter()
        .next()
        .and_then(Result::ok)
        .ok_or_else(|| "its answer is not the JSON of credentials".to_owned())?;
    let secret = Secret::new(output.secret.unwrap_or_default());
    Ok(HelperCredentials { username: output.username.unwrap_or_default(), secret })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory with one helper in it (a shell script), and an environment whose `PATH` is that directory.
    pub(crate) fn helper(name: &str, script: &str) -> (tempfile::TempDir, Env) {
        let directory = tempfile::tempdir().unwrap();
        add_helper(directory.path(), name, script);
        let env = Env::from_pairs([("PATH", directory.path().to_str().unwrap())]);
        (directory, env)
    }

    /// Adds one more program. Another process writes it: while this process has the file open for writing, a fork in a
    /// parallel test would keep it from being executed.
    pub(crate) fn add_helper(directory: &Path, name: &str, script: &str) {
        let text = format!("#!/bin/sh\n{script}\n");
        let file = directory.join(format!("docker-credential-{name}"));
        let mut writer = Command::new("/bin/sh");
        writer.args(["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh"]).arg(text).arg(file);
        assert!(writer.status().unwrap().success());
    }

    fn ask(script: &str) -> Result<Option<HelperCredentials>, String> {
        let (_directory, env) = helper("t", script);
        get_credentials(&env, "t", "h:5000", None).map_err(|unusable| unusable.reason)
    }

    #[test]
    fn helper_gets_the_server_and_returns_credentials() {
        let script = r#"read -r server || true
            printf '{"ServerURL":"%s","Username":"%s","Secret":"%s"}' "$server" "$1" "pw-$server""#;
        let credentials = ask(script).unwrap().unwrap();
        assert_eq!((credentials.username.as_str(), credentials.secret.reveal()), ("get", "pw-h:5000"));
        assert!(!format!("{credentials:?}").contains("pw-"));
    }

    #[test]
    fn helper_without_credentials_returns_none_and_other_errors_are_reported() {
        assert_eq!(ask("echo credentials not found in native keychain; exit 1"), Ok(None));
        let error = ask("echo 'pass not initialized'; echo noise >&2; exit 1").unwrap_err();
        assert_eq!(error, "credential helper docker-credential-t: pass not initialized (exit status: 1)");
        let error = ask("printf 'no\\033[31m account\\nmore' >&2; exit 3").unwrap_err();
        assert_eq!(error, "credential helper docker-credential-t: no[31m account (exit status: 3)");
        let error = ask("exit 2").unwrap_err();
        assert_eq!(error, "credential helper docker-credential-t: failed without a word (exit status: 2)");
        assert!(ask("kill -9 $$").unwrap_err().contains("signal: 9"));
    }

    #[test]
    fn helper_errors_contain_no_secret() {
        for script in [
            r#"echo '{"Username":"u","Secret":"hunter2"}'; exit 1"#,
            r#"echo '{"Username":"u","Secret":["hunter2"]}'"#,
            r#"echo '"hunter2"'"#,
            "echo hunter2",
            "echo hunter2; exit 1",
            "echo hunter2 >&2; exit 1",
            r#"echo ' "Secret": "hunter2" }'; exit 1"#,
            r#"echo '"Secret":"hunter2"' >&2; exit 1"#,
            r#"echo '{"Username":"u","Secret":"hunter2"}'; echo cannot store hunter2 >&2; exit 1"#,
        ] {
            let error = ask(script).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn helper_that_ignores_stdin_or_fills_stderr_does_not_block() {
        let credentials = r#"printf '{"Username":"u","Secret":"s"}'"#;
        assert_eq!(ask(&format!("exec <&-; {credentials}")).unwrap().unwrap().username, "u");
        let noisy =
            format!("i=0; while [ $i -lt 3000 ]; do echo {} >&2; i=$((i+1)); done; {credentials}", "x".repeat(100));
        assert_eq!(ask(&noisy).unwrap().unwrap().secret.reveal(), "s");
    }

    #[test]
    fn helper_is_killed_after_its_timeout_even_if_its_child_survives() {
        // What the helper started ends by itself soon after the test.
        for script in ["exec sleep 600", "sleep 20 & wait", "sleep 20 & exec sleep 600"] {
            let (_directory, env) = helper("t", &format!("PATH=/usr/bin:/bin; {script}"));
            let unusable = get_credentials(&env, "t", "h", Some(Duration::from_millis(300))).unwrap_err();
            assert!(unusable.is_timeout, "{script}");
            let reason =
                "credential helper docker-credential-t: gave no answer within the 300 ms that were left of --timeout";
            assert_eq!(unusable.reason, reason);
        }
        let (_directory, env) = helper("t", r#"printf '{"Username":"u","Secret":"s"}'"#);
        assert!(get_credentials(&env, "t", "h", Some(Duration::from_secs(600))).unwrap().is_some());
    }

    #[test]
    fn missing_helpers_and_invalid_helper_names_are_errors() {
        let (directory, env) = helper("t", "exit 0");
        assert!(
            get_credentials(&env, "other", "h", None)
                .unwrap_err()
                .reason
                .contains("docker-credential-other is not in PATH")
        );
        for name in ["", "../t", "a/b", "t ", "t;x", "é", "t\0", "\\t"] {
            assert!(
                get_credentials(&env, name, "h", None).unwrap_err().reason.contains("not a credential helper's name"),
                "{name:?}"
            );
        }
        fs::write(directory.path().join("docker-credential-plain"), "x").unwrap();
        assert_eq!(find_helper(&env, "plain"), None);
        assert_eq!(find_helper(&Env::from_pairs([("PATH", "relative:.")]), "t"), None);
    }

    #[test]
    fn helper_that_cannot_be_executed_is_an_error() {
        let (_directory, env) = helper("t", "");
        let file = find_helper(&env, "t").unwrap();
        fs::write(&file, "#!/does/not/exist\n").unwrap();
        assert!(get_credentials(&env, "t", "h", None).unwrap_err().reason.contains("cannot be run"));
    }
}
