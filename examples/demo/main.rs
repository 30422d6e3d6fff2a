//! The main job on real input, to be watched: `make demo`.
//!
//! A registry on a free loopback port gets one image for each of four platforms, each in a repository of its own, and
//! the real binary makes one multi-platform image of them. At the end the bytes that the registry serves are compared
//! with what push printed.
//!
//!     demo BINARY [--real]      --real: docker-registry instead of the built-in registry, where it is on the PATH
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)] // its output is its purpose

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;
use testkit::client::Client;
use testkit::image::{DOCKER_LIST, Image, sha256};
use testkit::loopback;
use testkit::real::RealRegistry;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (switches, paths): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with('-'));
    let ([binary], [] | ["--real"]) = (paths.as_slice(), switches.as_slice()) else {
        eprintln!("usage: demo BINARY [--real]");
        return ExitCode::from(125);
    };
    match run(Path::new(binary), !switches.is_empty()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The registry of the demo; it ends when this is dropped.
enum Registry {
    BuiltIn(loopback::Registry),
    Real(RealRegistry),
}

impl Registry {
    fn start(real: bool) -> Result<Registry, String> {
        if real {
            RealRegistry::start_plain().map(Registry::Real)
        } else {
            Ok(Registry::BuiltIn(loopback::Registry::start()))
        }
    }

    fn host(&self) -> String {
        match self {
            Registry::BuiltIn(registry) => registry.host(),
            Registry::Real(registry) => registry.host(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Registry::BuiltIn(_) => "built into this demo",
            Registry::Real(_) => "docker-registry",
        }
    }
}

/// An image for one platform: its repository, its content, and its platform in the finished list.
struct PlatformImage {
    repository: &'static str,
    built: Image,
    platform: &'static str,
}

fn images() -> Vec<PlatformImage> {
    let linux = |arch: &str| Image::docker().platform("linux", arch).layer(b"the same base for every linux image");
    let windows = Image::docker().platform("windows", "amd64").os_version("10.0.20348.2700");
    let image = |repository, built, platform| PlatformImage { repository, built, platform };
    vec![
        image("demo/app-amd64", linux("amd64").layer(b"app for amd64").build(), "linux/amd64"),
        image("demo/app-arm64", linux("arm64").variant("v8").layer(b"app for arm64").build(), "linux/arm64/v8"),
        // Its configuration states no variant, as is common. annotate adds it.
        image("demo/app-armv7", linux("arm").layer(b"app for arm").build(), "linux/arm/v7"),
        image("demo/app-windows", windows.layer(b"app for windows").build(), "windows/amd64 10.0.20348.2700"),
    ]
}

fn run(binary: &Path, real: bool) -> Result<(), String> {
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let home = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    let shell = Shell { binary, home: home.path().to_owned() };
    let registry = Registry::start(real)?;
    let (host, images) = (registry.host(), images());
    let client = Client::new(&host);
    println!("A registry at {host} ({}), with an image for each platform:", registry.kind());
    for image in &images {
        client.push_image(image.repository, "1.0", &image.built);
        println!("  {host}/{}:1.0", image.repository);
    }

    let list = format!("{host}/demo/app:1.0");
    let names: Vec<String> = images.iter().map(|image| format!("{host}/{}:1.0", image.repository)).collect();
    let mut create = vec!["create", &list];
    create.extend(names.iter().map(String::as_str));
    shell.run(&create)?;
    shell.run(&["annotate", &list, &names[2], "--variant", "v7"])?;
    shell.run(&["inspect", &list])?;
    let pushed = shell.run(&["push", &list])?;
    let digest = pushed.lines().last().unwrap_or_default().trim().to_owned();
    let remote = format!("{host}/demo/app@{digest}");
    let inspected = shell.run(&["inspect", &remote])?;
    shell.run(&["rm", &list])?;

    println!("\nWhat the registry serves now:");
    check(&client, &images, &digest, &inspected)
}

/// Checks what the registry serves, with a client that shares no code with the binary.
fn check(client: &Client, images: &[PlatformImage], digest: &str, inspected: &str) -> Result<(), String> {
    let (media_type, bytes) = client.find_manifest("demo/app", "1.0").ok_or("demo/app:1.0 is not there")?;
    check_equal("the tag's bytes hash to what push printed", digest, &sha256(&bytes))?;
    check_equal("it is a manifest list", DOCKER_LIST, &media_type)?;
    let list: Value = serde_json::from_slice(&bytes).map_err(|error| format!("it is no JSON: {error}"))?;
    let listed: Vec<&Value> = list["manifests"].as_array().into_iter().flatten().collect();
    let platform_and_digest =
        |child: &Value| (platform(&child["platform"]), child["digest"].as_str().unwrap_or("").to_owned());
    let mut actual: Vec<(String, String)> = listed.into_iter().map(platform_and_digest).collect();
    let mut expected: Vec<(String, String)> =
        images.iter().map(|image| (image.platform.to_owned(), image.built.digest())).collect();
    actual.sort();
    expected.sort();
    let names: Vec<&str> = expected.iter().map(|(platform, _)| platform.as_str()).collect();
    check_equal(&format!("it lists {}", names.join(", ")), &expected, &actual)?;
    for image in images {
        let child = client.find_manifest("demo/app", &image.built.digest()).map(|(_, bytes)| bytes);
        if child.as_ref() != Some(&image.built.manifest) {
            return Err(format!("the {} image is not in demo/app as it was pushed", image.platform));
        }
        for blob in image.built.blobs() {
            let status = client.request("HEAD", &format!("/v2/demo/app/blobs/{}", sha256(blob)), &[], b"").status;
            if status != 200 {
                return Err(format!("a blob of the {} image is not in demo/app: status {status}", image.platform));
            }
        }
    }
    println!("  ok  every image is in demo/app byte for byte, with all its blobs");
    check_equal("inspect by digest showed the same", &list, &serde_json::from_str(inspected).unwrap_or(Value::Null))
}

/// `os/arch/variant os.version`, as far as they are given.
fn platform(value: &Value) -> String {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let joined = format!("{}/{}/{}", text("os"), text("architecture"), text("variant"));
    format!("{} {}", joined.trim_end_matches('/'), text("os.version")).trim_end().to_owned()
}

fn check_equal<T: PartialEq + std::fmt::Debug + ?Sized>(claim: &str, expected: &T, actual: &T) -> Result<(), String> {
    if expected != actual {
        return Err(format!("not true: {claim}\n  expected {expected:?}\n  actual   {actual:?}"));
    }
    println!("  ok  {claim}");
    Ok(())
}

/// Runs the binary in an environment of its own: a new home and DOCKER_CONFIG, no proxies.
struct Shell {
    binary: PathBuf,
    home: PathBuf,
}

impl Shell {
    /// Prints a command and its output as a terminal would, and returns its stdout. A failure ends the demo.
    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        println!("\n$ docker-manifest {}", command_line(arguments));
        let mut command = Command::new(&self.binary);
        command.args(arguments).env_clear().env("HOME", &self.home).env("DOCKER_CONFIG", self.home.join(".docker"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("{}: {error}", self.binary.display()))?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        print!("{stdout}{}", if stdout.is_empty() || stdout.ends_with('\n') { "" } else { "\n" });
        std::io::stdout().flush().map_err(|error| format!("stdout: {error}"))?;
        eprint!("{stderr}");
        if !output.status.success() {
            return Err(format!("docker-manifest {}: {}", arguments.join(" "), output.status));
        }
        Ok(stdout.into_owned())
    }
}

/// The arguments on one line or, if that would be too long, on a line each.
fn command_line(arguments: &[&str]) -> String {
    let line = arguments.join(" ");
    let (head, rest) = arguments.split_at(arguments.len().min(2));
    if line.len() <= 130 || rest.is_empty() {
        return line;
    }
    format!("{} \\\n    {}", head.join(" "), rest.join(" \\\n    "))
}
