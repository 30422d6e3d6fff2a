//! Runs manifest-tool's commands, if the program is called by that name.

use crate::cli::args::{BuildOutputFlags, NetworkFlags, PublishFlags, ToolCommand, ToolGlobals, ToolInspect, ToolPush};
use crate::cli::compat::manifest_tool_inspect;
use crate::cli::context::Context;
use crate::cli::spec_files;
use crate::cli::verbs::apply::{lists_to_build, publish_and_store_all};
use crate::cli::verbs::publish_and_report;
use crate::content::registry::RegistryClient;
use crate::core::apply::ApplyRequest;
use crate::core::error::CommandError;
use crate::core::list_metadata::ListEdits;
use crate::core::list_names::{ListNaming, UntaggedTarget};
use crate::core::spec_origin::SpecOrigin;
use crate::model::index::ListFormat;
use crate::model::spec::{self, Dialect, Spec};
use crate::net::Login;
use crate::reference::Reference;

/// Runs a command. The flags override `context`.
///
/// # Errors
/// As our own commands.
pub(crate) fn run(context: &Context, globals: &ToolGlobals, command: &ToolCommand) -> Result<(), CommandError> {
    let config_dir = match &globals.docker_cfg {
        // The user named this file, so a missing file is an error.
        Some(path) => {
            let path = context.env.original_path(path);
            let unreadable = |source| CommandError::Unreadable { path: path.to_owned(), source };
            path.metadata().map(|_| path.to_owned()).map_err(unreadable)?
        }
        None => context.config_dir.clone(),
    };
    let context = &Context { config_dir, debug: globals.debug, ..context.clone() };
    let tool = ManifestTool { context, globals };
    match command {
        ToolCommand::Inspect(args) => tool.inspect(args),
        ToolCommand::FromSpec(args) => {
            tool.push(spec_files::read(context, &args.file, Dialect::ManifestTool)?, &args.push)
        }
        ToolCommand::FromArgs(args) => {
            let platforms: Vec<&str> = args.platforms.iter().map(|platform| platform.text.as_str()).collect();
            let spec = spec::from_args(&platforms, &args.template, &spec_files::parse_target(&args.target)?)?;
            let annotations = args.annotations.iter().cloned().collect();
            tool.push(vec![Spec { tags: args.tags.clone(), annotations, ..spec }], &args.push)
        }
    }
}

struct ManifestTool<'a> {
    context: &'a Context,
    globals: &'a ToolGlobals,
}

impl ManifestTool<'_> {
    /// A client. The login applies to the registry of `login_reference`, as in our own commands.
    fn registry(&self, login_reference: Option<&Reference>) -> Result<RegistryClient, CommandError> {
        let ToolGlobals { username, password, insecure, plain_http, .. } = self.globals;
        let credentials = username.clone().zip(password.clone()).zip(login_reference);
        let login = credentials.map(|((username, password), reference)| {
            let registry = reference.repository().domain().to_owned();
            Login { registry, username, password }
        });
        let network = NetworkFlags { insecure: *insecure, ..NetworkFlags::default() };
        self.context.registry_client_with_login(&network, *plain_http, login)
    }

    fn inspect(&self, args: &ToolInspect) -> Result<(), CommandError> {
        let ToolInspect { image, raw, expand_config } = args;
        let reference = image.reference()?;
        let registry = self.registry(Some(reference))?;
        let shown = manifest_tool_inspect::fetch_image_or_list(&registry, &image.typed, reference)?;
        // The configuration is printed as JSON only.
        let text = if *raw || *expand_config { shown.json(*expand_config)? } else { shown.text()? };
        Ok(self.context.streams.data(&text)?)
    }

    /// Publishes specs. Prints the digest and the size of each list, as manifest-tool does.
    fn push(&self, mut specs: Vec<Spec>, args: &ToolPush) -> Result<(), CommandError> {
        let ToolPush { list_format, ignore_missing } = *args;
        for spec in &mut specs {
            // manifest-tool's default is Docker's manifest list.
            spec.list_format = Some(if list_format == ListFormat::Docker {
                spec.list_format.unwrap_or(list_format)
            } else {
                list_format
            });
        }
        let flags = PublishFlags::default();
        let build_outputs = spec_files::add_build_outputs(self.context, &BuildOutputFlags::default(), &[], &mut specs)?;
        let request = ApplyRequest {
            naming: ListNaming { specs: &specs, further_names: Vec::new(), untagged: UntaggedTarget::ByDigest },
            build_outputs: &build_outputs,
            options: flags.options(),
            is_to_layout: false,
            edits: ListEdits::default(),
            ignore_missing,
            stores_drafts: false,
            origin: SpecOrigin::File,
            warn: &|warning| self.context.streams.warning(warning),
            progress: &self.context.fetch_progress(),
        };
        let lists = lists_to_build(&request.naming, &flags)?;
        let registry = self.registry(lists.first().map(|(_, target)| *target))?;
        let access = self.context.content_access(&registry);
        let lists = request.build(access, &lists)?;
        let mut outcomes = Vec::new();
        publish_and_store_all(self.context, access, &lists, &flags, None, |outcome| {
            self.context.streams.line(format_args!("Digest: {} {}", outcome.digest, outcome.size))?;
            outcomes.push(outcome.clone());
            Ok(())
        })?;
        publish_and_report::print_warnings(self.context, &outcomes);
        Ok(())
    }
}
