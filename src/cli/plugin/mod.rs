//! Docker's plugin protocol, and the program without docker.
//!
//! Docker runs `docker-NAME` with its own whole command line: its flags, then NAME, then our arguments. `docker help
//! NAME` and completion put a word before NAME. Without docker there is no NAME, and every text has `docker-manifest`
//! in place of `docker NAME`. (Measured with docker 28.2.2; `cli-plugins/manager` in docker/cli.)

pub mod completion;
#[cfg(unix)]
pub mod plugin_socket;
pub mod run_as_shim;
pub mod shell_functions;

use std::path::PathBuf;

use crate::cli::args::{self, ArgsError, ColorChoice};

/// The output of `docker-cli-plugin-metadata`.
pub const METADATA: &str = include_str!("../../../docker-cli-plugin-metadata");

/// The argument by which docker requests the metadata.
const METADATA_COMMAND: &str = "docker-cli-plugin-metadata";

/// How the program was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The name in all texts: `docker manifest`, `docker manifests`, `docker-manifest`.
    pub name: String,
    /// `--config`, which overrides `DOCKER_CONFIG`.
    pub config_dir: Option<PathBuf>,
    /// `--debug`.
    pub debug: bool,
    /// `--color`.
    pub color: Option<ColorChoice>,
    /// The action to take.
    pub action: Action,
}

/// The action to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Print [`METADATA`].
    Metadata,
    /// Complete a command line: see [`completion::complete`].
    Complete {
        /// The command line without the names of program and plugin. The last word is the one at the cursor.
        words: Vec<String>,
        /// True for `__complete`, false for `__completeNoDesc`.
        with_descriptions: bool,
    },
    /// Run a command with its arguments: [`args::parse`].
    Run(Vec<String>),
    /// Behave as manifest-tool: [`args::manifest_tool`].
    ManifestTool(Vec<String>),
    /// Behave as mquery: [`args::mquery`].
    Mquery(Vec<String>),
}

/// The names of links by which the program behaves as another one.
const MANIFEST_TOOL_PROGRAM: &str = "manifest-tool";
const MQUERY_PROGRAM: &str = "mquery";

/// Reads an argument vector that begins with the program's own name.
///
/// # Errors
/// A flag before the command that docker does not have. Docker itself refuses those before it calls a plugin.
pub fn parse(argv: &[String]) -> Result<Invocation, ArgsError> {
    let (program, words) =
        argv.split_first().map_or((String::new(), argv), |(path, words)| (program_name(path), words));
    let is_docker = program == run_as_shim::DOCKER;
    let plugin_name = if is_docker { Some(run_as_shim::MANIFEST) } else { program.strip_prefix("docker-") };
    let names = ProgramNames { file_name: &program, plugin_name };
    match program.as_str() {
        MANIFEST_TOOL_PROGRAM => return Ok(names.invocation(false, Action::ManifestTool(words.to_vec()))),
        MQUERY_PROGRAM => return Ok(names.invocation(false, Action::Mquery(words.to_vec()))),
        _ => {}
    }
    if !is_docker && words.first().is_some_and(|word| word == METADATA_COMMAND) {
        return Ok(names.invocation(false, Action::Metadata));
    }
    let leading = args::leading_flags(&standalone_name(&program), words)?;
    let mut invocation = match leading.rest.first().map(String::as_str) {
        Some(word @ ("__complete" | "__completeNoDesc")) => {
            return Ok(names.completion(&leading, word == "__complete"));
        }
        Some("help") => names.help(&leading.rest),
        _ => names.run(&leading.rest),
    };
    if let Action::Run(verb) = &mut invocation.action {
        if leading.globals.version && verb.is_empty() {
            verb.push("version".to_owned());
        }
        if leading.wants_help {
            verb.insert(0, "--help".to_owned());
        }
    }
    invocation.set_globals(&leading.globals);
    Ok(invocation)
}

impl Invocation {
    fn set_globals(&mut self, globals: &args::Globals) {
        self.config_dir = globals.config.as_ref().filter(|dir| !dir.is_empty()).map(PathBuf::from);
        self.debug = globals.debug;
        self.color = globals.color;
    }
}

/// The file name of the program, without Windows' suffix.
fn program_name(path: &str) -> String {
    let file = path.rsplit(std::path::is_separator).next().unwrap_or(path);
    file.strip_suffix(".exe").unwrap_or(file).to_owned()
}

fn standalone_name(program: &str) -> String {
    if program.is_empty() { "docker-manifest".to_owned() } else { program.to_owned() }
}

/// The names of the program.
struct ProgramNames<'a> {
    /// Its file name: `docker-manifests`.
    file_name: &'a str,
    /// The name that docker knows it by: `manifests`.
    plugin_name: Option<&'a str>,
}

impl ProgramNames<'_> {
    /// The words after the plugin's own name; `None` if they do not begin with it.
    fn strip_plugin_name<'w>(&self, words: &'w [String]) -> Option<&'w [String]> {
        let (first, rest) = words.split_first()?;
        (Some(first.as_str()) == self.plugin_name).then_some(rest)
    }

    fn invocation(&self, by_docker: bool, action: Action) -> Invocation {
        let name = match self.plugin_name {
            Some(word) if by_docker => format!("docker {word}"),
            _ => standalone_name(self.file_name),
        };
        Invocation { name, config_dir: None, debug: false, color: None, action }
    }

    /// `NAME create …`, or `create …` without docker.
    fn run(&self, words: &[String]) -> Invocation {
        let rest = self.strip_plugin_name(words);
        self.invocation(rest.is_some(), Action::Run(rest.unwrap_or(words).to_vec()))
    }

    /// `help NAME [VERB]`, or `help [VERB]` without docker.
    fn help(&self, words: &[String]) -> Invocation {
        let words = words.get(1..).unwrap_or_default();
        let topic = self.strip_plugin_name(words);
        let help = std::iter::once("help".to_owned()).chain(topic.unwrap_or(words).iter().cloned());
        self.invocation(topic.is_some(), Action::Run(help.collect()))
    }

    /// `__complete [docker's flags] [NAME] … WORD`.
    fn completion(&self, leading: &args::LeadingFlags, with_descriptions: bool) -> Invocation {
        let words = leading.rest.get(1..).unwrap_or_default();
        let (typed, before) = words.split_last().map_or((None, words), |(typed, before)| (Some(typed), before));
        // Completion does not report a wrong flag before the command. It counts as the command's own.
        let inner = args::leading_flags(self.file_name, before)
            .unwrap_or_else(|_| args::LeadingFlags { rest: before.to_vec(), ..args::LeadingFlags::default() });
        let rest = self.strip_plugin_name(&inner.rest);
        let words = rest.unwrap_or(&inner.rest).iter().chain(typed).cloned().collect();
        let mut invocation = self.invocation(rest.is_some(), Action::Complete { words, with_descriptions });
        let globals = if inner.globals.config.is_some() { &inner.globals } else { &leading.globals };
        invocation.set_globals(globals);
        invocation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(argv: &[&str]) -> Invocation {
        let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
        parse(&argv).unwrap_or_else(|error| panic!("{argv:?}: {error}"))
    }

    fn run(words: &[&str]) -> Action {
        Action::Run(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_metadata_names_this_version() {
        let metadata: serde_json::Value = serde_json::from_str(METADATA).unwrap();
        assert_eq!(metadata["SchemaVersion"], "0.1.0");
        assert_eq!(metadata["Vendor"], "docker-manifest authors");
        assert_eq!(metadata["Version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(called(&["/x/docker-manifests", "docker-cli-plugin-metadata"]).action, Action::Metadata);
    }

    #[test]
    fn docker_flags_are_read_before_the_plugin_name() {
        for argv in [
            "/p/docker-manifests -D --config /c manifests rm -x",
            "docker-manifests --debug=true --config=/c manifests rm -x",
            "docker-manifests.exe -Dl debug -H tcp://x -Hy --config /c manifests rm -x",
            "docker-manifests -D --tls=0 -v --config /b --config /c -- manifests rm -x",
        ] {
            let called = called(&argv.split(' ').collect::<Vec<_>>());
            assert_eq!(called.name, "docker manifests", "{argv:?}");
            assert_eq!(called.config_dir, Some(PathBuf::from("/c")), "{argv:?}");
            assert!(called.debug, "{argv:?}");
            assert_eq!(called.action, run(&["rm", "-x"]), "{argv:?}");
        }
    }

    #[test]
    fn the_standalone_program_has_its_own_name() {
        let standalone = called(&["/bin/docker-manifest", "--config", "", "create", "manifest"]);
        assert_eq!((standalone.name.as_str(), standalone.config_dir.clone()), ("docker-manifest", None));
        assert_eq!(standalone.action, run(&["create", "manifest"]));
        assert_eq!(called(&["docker-manifest", "manifest", "create"]).name, "docker manifest");
        assert_eq!(called(&["renamed", "manifest"]).action, run(&["manifest"]));
        assert_eq!(called(&[]).name, "docker-manifest");
        assert_eq!(called(&["docker-manifest", "-v"]).action, run(&["version"]));
        let error = parse(&["docker-manifest".to_owned(), "--bogus".to_owned()]).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.exit_code()), ("unknown flag: --bogus", 125));
        assert_eq!(error.usage().as_deref(), Some("Usage:  docker-manifest COMMAND"));
    }

    #[test]
    fn links_named_manifest_tool_and_mquery_behave_as_those_programs() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let tool = called(&["/usr/local/bin/manifest-tool", "--debug", "inspect", "alpine:3"]);
        assert_eq!(tool.action, Action::ManifestTool(words(&["--debug", "inspect", "alpine:3"])));
        assert_eq!(called(&["mquery.exe", "alpine:3"]).action, Action::Mquery(words(&["alpine:3"])));
        assert_eq!(called(&["docker-manifest", "mquery"]).action, run(&["mquery"]));
    }

    #[test]
    fn help_is_accepted_before_and_after_the_plugin_name() {
        let help = called(&["docker-manifests", "-D", "help", "manifests", "push"]);
        assert_eq!((help.name.as_str(), help.action), ("docker manifests", run(&["help", "push"])));
        let help = called(&["docker-manifest", "help", "push"]);
        assert_eq!((help.name.as_str(), help.action), ("docker-manifest", run(&["help", "push"])));
        assert_eq!(called(&["docker-manifests", "--help", "manifests"]).action, run(&["--help"]));
        assert_eq!(called(&["docker-manifests", "--help", "--help=false", "manifests"]).action, run(&[]));
    }

    #[test]
    fn completion_drops_the_names_of_program_and_plugin() {
        let complete = |words: &[&str], with_descriptions| Action::Complete {
            words: words.iter().map(ToString::to_string).collect(),
            with_descriptions,
        };
        let by_docker = called(&["docker-manifests", "__complete", "manifests", "push", ""]);
        assert_eq!(by_docker.action, complete(&["push", ""], true));
        let standalone = called(&["docker-manifest", "__completeNoDesc", "--config", "/c", "push", "-"]);
        assert_eq!(standalone.action, complete(&["push", "-"], false));
        assert_eq!(standalone.config_dir, Some(PathBuf::from("/c")));
        assert_eq!(called(&["docker-manifest", "__complete", "manifest"]).action, complete(&["manifest"], true));
        assert_eq!(called(&["docker-manifest", "__complete"]).action, complete(&[], true));
    }
}
