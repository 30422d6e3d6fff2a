//! Changes of a draft straight through the store, so that crashes are tried on every kind of change that it can make,
//! whether or not a command line makes it.

use std::io::Write;
use std::path::Path;

use docker_manifest::digest::Digest;
use docker_manifest::document::descriptor::Descriptor;
use docker_manifest::document::manifest::Schema;
use docker_manifest::document::{DocumentError, Draft, Entry};
use docker_manifest::platform::Platform;
use docker_manifest::reference::Reference;
use docker_manifest::store::{Store, StoreError};
use serde_json::json;
use testkit::sandbox::{Run, Sandbox};

/// What tells the driver what to do: the change, the configuration directory, the registry's host.
const CHANGE: &str = "STORE_CHANGE";
const CONFIG: &str = "STORE_CONFIG";
const HOST: &str = "STORE_HOST";

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("there is no change {0}")]
    Unknown(String),
}

/// A run of the driver. It is this very test program, told to run the one test below.
pub(super) fn command(sandbox: &Sandbox, change: &str, host: &str) -> (String, Vec<(&'static str, String)>) {
    let program = std::env::current_exe().expect("a test program").display().to_string();
    let config = sandbox.docker_config().display().to_string();
    (program, vec![(CHANGE, change.to_owned()), (CONFIG, config), (HOST, host.to_owned())])
}

/// The words that make the test program a driver.
pub(super) const ARGUMENTS: [&str; 5] =
    ["--exact", "cases::crash::driver::a_change_of_the_store", "--ignored", "--nocapture", "--test-threads=1"];

/// strace's option that keeps the driver's test on the main thread, which alone is traced: libtest runs a test where
/// it stands when it gets no thread for it.
pub(super) const NO_THREADS: &str = "-einject=?clone3,?clone:error=EAGAIN";

/// Runs the driver undisturbed.
pub(super) fn run(sandbox: &Sandbox, change: &str, host: &str) -> Run {
    let (program, env) = command(sandbox, change, host);
    let run = sandbox.command(program).args(ARGUMENTS);
    env.into_iter().fold(run, |run, (name, value)| run.env(name, value))
}

#[test]
#[ignore = "run by the crash tests, which tell it what to do"]
#[allow(clippy::disallowed_methods, reason = "a test program has no other way to be told")]
fn a_change_of_the_store() {
    let told = |name| std::env::var(name).ok();
    let (Some(change), Some(config), Some(host)) = (told(CHANGE), told(CONFIG), told(HOST)) else { return };
    let code = match act(Path::new(&config), &host, &change) {
        Ok(()) => 0,
        Err(error) => {
            // On a full disk this may fail as well.
            let _ = writeln!(std::io::stderr(), "{error}");
            1
        }
    };
    std::process::exit(code)
}

/// The image `app:NUMBER`, in one of two states; the second has what docker's format has no place for.
fn entry(host: &str, number: usize, beyond: bool) -> Result<Entry, Failure> {
    let image = reference(host, &format!("app:{number}"));
    let media_type = Schema::Docker.media_type();
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": {}, "layers": [], "number": number});
    let bytes = manifest.to_string().into_bytes();
    let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
    if !beyond {
        return Ok(Entry::fetched(image, Schema::Docker, bytes, Some(platform)));
    }
    let mut descriptor = Descriptor::of(media_type, &bytes);
    descriptor.platform = Some(Platform { features: vec!["sse4".into()], ..platform });
    let source = reference(host, "app:index").with_digest(&Digest::of(b"index"));
    Ok(Entry::listed(image, Schema::Docker, bytes, descriptor, source)?)
}

fn reference(host: &str, rest: &str) -> Reference {
    Reference::parse(&format!("{host}/{rest}")).expect("a reference")
}

/// The change by its name; each leads to the same draft however often it is made.
fn act(config: &Path, host: &str, change: &str) -> Result<(), Failure> {
    let store = Store::new(config);
    let list = reference(host, "list:1");
    let numbers: &[(usize, bool)] = match change {
        "remove" => {
            let names = store.names()?;
            return names.iter().try_for_each(|name| Ok(store.remove(name, None, &|_| ()).map(drop)?));
        }
        "annotate-the-list" | "annotate-nothing" => &[],
        "plain" => &[(0, false), (1, false), (2, false)],
        "beyond" | "beyond-and-annotated" => &[(1, true), (3, true), (4, false)],
        _ => return Err(Failure::Unknown(change.to_owned())),
    };
    store.change(&list, &|_| (), |before| {
        let mut draft = Draft::new(list.clone());
        for (number, beyond) in numbers {
            draft.insert(entry(host, *number, *beyond)?)?;
        }
        if numbers.is_empty() {
            before.into_iter().flat_map(Draft::entries).try_for_each(|entry| draft.insert(entry.clone()))?;
        }
        if change.contains("annotate") && change != "annotate-nothing" {
            draft.annotations = [("k".to_owned(), "v".to_owned())].into();
            draft.artifact_type = "a/b".into();
            draft.subject = Some(Descriptor::of("m", b"subject"));
        }
        Ok(Some(draft))
    })
}
