//! Runs the command that argv names, and reports its failure.

use crate::cli::{args, check, compat, inspect, plugin, report, verbs};
use crate::net;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cli::args::{ArgsError, CliRequest, Command, ToolRequest};
use crate::cli::context::Context;
use crate::cli::docker_interrupt::InterruptHandler;
use crate::cli::output::Streams;
use crate::cli::plugin::Action;
use crate::cli::plugin::completion::{self, DraftLookups};
use crate::cli::report::Report;
use crate::core::CommandError;
use crate::drafts::DraftStore;
use crate::env::Env;
use crate::net::{Clock, SystemClock};
use crate::reference::Reference;

/// Runs the program. `argv` begins with the program's own name. Returns the exit code: docker's, if docker has the
/// command.
pub fn run(argv: &[String], env: Env, streams: Arc<Streams>) -> u8 {
    run_with_clock(argv, env, streams, Arc::new(SystemClock))
}

/// Runs the program with another clock. Retries wait by it; a test's clock may not wait at all.
pub fn run_with_clock(argv: &[String], env: Env, streams: Arc<Streams>, clock: Arc<dyn Clock>) -> u8 {
    let invocation = match plugin::parse(argv) {
        Ok(invocation) => invocation,
        Err(error) => return print_failure(&streams, &unparsed_report(&error, argv)),
    };
    let config_dir =
        invocation.config_dir.as_ref().map_or_else(|| env.docker_config_dir(), |dir| env.original_path(dir).to_owned());
    invocation.color.into_iter().for_each(|choice| streams.set_color(choice));
    let (docker_interrupts, layouts) = (InterruptHandler::default(), Arc::default());
    let context = Context { env, config_dir, debug: invocation.debug, streams, clock, docker_interrupts, layouts };
    let (streams, env) = (&context.streams, &context.env);
    let outcome = match &invocation.action {
        Action::Metadata => streams.data(plugin::METADATA.as_bytes()).map(|()| 0).map_err(CommandError::from),
        Action::Complete { words, with_descriptions } => complete(&context, words, *with_descriptions),
        Action::Run(words) => {
            #[cfg(unix)]
            plugin::plugin_socket::watch(env, &context.docker_interrupts);
            match args::parse(&invocation.name, words) {
                Ok(request) => run_request(&context, request),
                Err(error) => {
                    args::last_color(words).into_iter().for_each(|choice| streams.set_color(choice));
                    return print_failure(streams, &unparsed_report(&error, words));
                }
            }
        }
        Action::Mquery(words) => match args::mquery(words) {
            Ok(request) => run_request(&context, request),
            Err(error) => return print_failure(streams, &unparsed_report(&error, words)),
        },
        Action::ManifestTool(words) => match args::manifest_tool(words) {
            Ok(request) => run_manifest_tool_request(&context, request),
            Err(error) => return print_failure(streams, &report::manifest_tool_argument_error(&error)),
        },
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let certificates = net::certs_d_directory(env);
            let is_json = action_wants_json(&invocation.action);
            let report = if is_json { report::command_error_json } else { report::command_error };
            print_failure(streams, &report(&error, &certificates))
        }
    }
}

fn run_request(context: &Context, request: CliRequest) -> Result<u8, CommandError> {
    match request {
        CliRequest::Run { command, debug, color } => {
            color.into_iter().for_each(|choice| context.streams.set_color(choice));
            return run_command(&Context { debug: context.debug || debug, ..context.clone() }, &command);
        }
        CliRequest::Help { text, requested: true } => context.streams.data(text.as_bytes())?,
        CliRequest::Help { text, requested: false } => context.streams.message(text.trim_end()),
    }
    Ok(0)
}

/// Runs a command of manifest-tool. Its exit codes are 0 and 1.
fn run_manifest_tool_request(context: &Context, request: ToolRequest) -> Result<u8, CommandError> {
    match request {
        ToolRequest::Run(globals, command) => compat::manifest_tool::run(context, &globals, &command)?,
        ToolRequest::Help(text) => context.streams.data(text.as_bytes())?,
        ToolRequest::Version => {
            context.streams.line(concat!("manifest-tool version ", env!("CARGO_PKG_VERSION"), " (docker-manifest)"))?;
        }
    }
    Ok(0)
}

/// The report for a command line that cannot be parsed. It is JSON if the words ask for JSON as far as they can be
/// read.
fn unparsed_report(error: &ArgsError, words: &[String]) -> Report {
    if report::wants_json(words) { report::argument_error_json(error) } else { report::argument_error(error) }
}

fn action_wants_json(action: &Action) -> bool {
    matches!(action, Action::Run(words) | Action::Mquery(words) if report::wants_json(words))
}

/// Runs a command. Returns the exit code of a success.
fn run_command(context: &Context, command: &Command) -> Result<u8, CommandError> {
    let streams = &context.streams;
    let outcome = match command {
        Command::Add(args) if args.shared.shared => verbs::shared_drafts::add::run(context, args),
        Command::Add(args) => verbs::add::run(context, args),
        Command::Apply(args) => verbs::apply::run(context, args),
        Command::Check(args) => return check::run(context, args),
        Command::Exists(args) => return verbs::exists::run(context, args).map(|exists| u8::from(!exists)),
        Command::Export(args) => verbs::export::run(context, args),
        Command::Ls(args) => match args.list.as_ref().filter(|_| args.shared) {
            Some(list) => verbs::shared_drafts::ls::run(context, args, list),
            None => verbs::ls::run(context, args),
        },
        Command::Platforms(args) => verbs::platforms::run(context, args),
        Command::Prune(args) => match args.repository.as_ref().filter(|_| args.shared.shared) {
            Some(repository) => verbs::shared_drafts::prune::run(context, args, repository),
            None => verbs::prune::run(context, args),
        },
        Command::Remove(args) if args.shared.shared => verbs::shared_drafts::remove::run(context, args),
        Command::Remove(args) => verbs::remove::run(context, args),
        Command::Copy(args) => verbs::copy::run(context, args),
        Command::Create(args) => verbs::create::run(context, args),
        Command::Annotate(args) => verbs::annotate::run(context, args),
        Command::Inspect(args) if args.shared.shared => verbs::shared_drafts::inspect::run(context, args),
        Command::Inspect(args) => inspect::run(context, args),
        Command::Push(args) if args.shared.shared => verbs::shared_drafts::push::run(context, args),
        Command::Push(args) => verbs::push::run(context, args),
        Command::Rm(args) => verbs::rm::run(context, args),
        Command::Shim(args) => return verbs::shim::run(context, args).map(|is_reached| u8::from(!is_reached)),
        Command::ShellInit(args) => Ok(streams.data(plugin::shell_functions::init_script(args.shell).as_bytes())?),
        Command::Completion(args) => {
            Ok(streams.data(plugin::shell_functions::completion_script(args.shell).as_bytes())?)
        }
        Command::Man(args) => verbs::man::run(context, args),
        Command::Version(args) => verbs::version::run(context, args),
    };
    outcome.map(|()| 0)
}

fn print_failure(streams: &Streams, report: &Report) -> u8 {
    streams.failure(&report.text);
    report.exit_code
}

/// Prints completions. If the store cannot be read there are none, because a shell cannot show an error.
fn complete(context: &Context, words: &[String], with_descriptions: bool) -> Result<u8, CommandError> {
    let store = context.store();
    let names = || store.lists().unwrap_or_default().iter().map(ToString::to_string).collect();
    let draft = |list: &str| Reference::parse(list).ok().and_then(|list| store.load(&list).ok().flatten());
    let entries = |list: &str| {
        draft(list)
            .iter()
            .flat_map(|draft| draft.entries_in_key_order())
            .map(|entry| entry.reference.to_string())
            .collect()
    };
    let platforms = |list: &str| {
        let draft = draft(list);
        let entries = draft.iter().flat_map(|draft| draft.entries_in_key_order());
        let platforms = entries.filter_map(|entry| Some(entry.descriptor.platform.as_ref()?.to_string()));
        platforms.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let lookups = DraftLookups { names: &names, entries: &entries, platforms: &platforms };
    let result = completion::complete(words, with_descriptions, &lookups);
    context.streams.message(result.stderr.trim_end());
    context.streams.data(result.stdout.as_bytes())?;
    Ok(result.exit_code)
}
