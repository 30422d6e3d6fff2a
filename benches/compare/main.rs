//! `make bench`: docker, ours and their peers on the same work, over a line with a round-trip time, side by side.
//!
//! A real docker-registry stands behind a link ([`testkit::latency_link`]) that takes 0, 10, 40 or 100 ms for a round
//! trip and counts what crosses it. Every tool makes one multi-platform image out of N images in other repositories of
//! that registry, pushes it again, and inspects one of N. Tools take turns, several times, and medians are kept. What
//! would take too long is left out and said to be: nothing in a table is computed from another measurement.
//!
//! The same is then done over TLS with tokens, and blobs are copied from one registry to another. With `--baseline`
//! another build of ours takes its turn beside this one, and their ratios are given.
//!
//! It ends with 1 where our requests grow faster than the images, or a bar that the project set is missed.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)] // a program of its own, for eyes

mod checks;
mod comparison;
mod concurrency;
mod copies;
mod machine;
mod measure;
mod options;
mod ratios;
mod report;
mod results;
mod seed;
mod startup;
mod tls;
mod tools;

use std::process::ExitCode;

use comparison::{Comparison, Setup};
use options::{CommandLine, Options};
use results::{Results, Sample};
use testkit::client::Client;
use testkit::latency_link::LatencyLink;
use testkit::real::RealRegistry;
use testkit::sandbox::Sandbox;
use tools::Tool;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == measure::MODE) {
        return measure::child(&arguments);
    }
    match options::parse(&arguments) {
        Ok(CommandLine::Help) => {
            println!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(CommandLine::Run(options)) => run(&options).unwrap_or_else(|reason| {
            eprintln!("bench: {reason}");
            ExitCode::FAILURE
        }),
        Err(reason) => {
            eprintln!("bench: {reason}\n\n{}", options::USAGE);
            ExitCode::from(125)
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let all = tools::all(&options.ours, options.baseline.as_deref());
    let tools: Vec<Tool> = all.into_iter().filter(|tool| options.wants(tool.name)).collect();
    let (tools, absent): (Vec<Tool>, Vec<Tool>) =
        tools.into_iter().partition(|tool| tool.is_installed(&Sandbox::new()));
    // Before the long part: the tree may have moved on by the end.
    let facts = machine::facts(&tools, &absent, options);
    let startup = startup::measure(&tools, options)?;
    let (plain, bounds) = plain(options, &tools)?;
    let secure = tls::measure(options, &tools)?;
    let copies = copies::measure(options, &tools)?;
    let check_results = checks::all(&plain, &secure, &copies, options);
    let report = report::markdown(&report::Report {
        facts: &facts,
        startup: &startup,
        plain: &plain,
        concurrency: &bounds,
        tls: &secure,
        copies: &copies,
        check_results: &check_results,
    });
    println!("{report}");
    if let Some(file) = &options.output {
        std::fs::write(file, &report).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
        eprintln!("bench: written to {}", file.display());
    }
    let missed = check_results.iter().filter(|check| !check.is_met).count();
    if missed > 0 {
        eprintln!("bench: {missed} of {} checks failed", check_results.len());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Plain HTTP without a login, and there how many requests at once pay.
fn plain(options: &Options, tools: &[Tool]) -> Result<(Results, Vec<(usize, Sample)>), String> {
    if !options.has_part("plain") {
        return Ok((Results::default(), Vec::new()));
    }
    let registry = RealRegistry::start_plain()?;
    let sizes = &options.images;
    eprintln!("bench: making {} images and {} lists", sizes.iter().max().unwrap_or(&0), sizes.len());
    let stock = seed::seed_images(&Client::new(registry.addr()), sizes)?;
    let links: Result<Vec<LatencyLink>, _> =
        options.rtts.iter().map(|rtt| LatencyLink::start(registry.addr(), *rtt)).collect();
    let links = links.map_err(|error| error.to_string())?;
    let setup = Setup { links: &links, seeded: &stock, login: None, env: &[], has_warm_home: false };
    let results = Comparison::new(options, tools, setup, "list").run(&comparison::JOB_GROUPS);
    let bounds = if options.has_part("jobs") { concurrency::measure(options, tools, setup) } else { Vec::new() };
    Ok((results, bounds))
}
