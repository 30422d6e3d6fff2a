//! `make bench`: docker, ours and their peers on the same work, over a line with a round-trip time, side by side.
//!
//! A real docker-registry stands behind a link ([`testkit::link`]) that takes 0, 10, 40 or 100 ms for a round trip and
//! counts what crosses it. Every tool makes one multi-platform image out of N images in other repositories of that
//! registry, pushes it again, and inspects one of N. Tools take turns, several times, and medians are kept. What would
//! take too long is left out and said to be: nothing in a table is computed from another measurement.
//!
//! It ends with 1 where our requests grow faster than the images, or a bar that the project set is missed.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)] // a program of its own, for eyes

mod checks;
mod contest;
mod jobs;
mod machine;
mod measure;
mod options;
mod results;
mod seed;
mod startup;
mod table;
mod tools;

use std::process::ExitCode;

use contest::Contest;
use options::{Asked, Options};
use testkit::real::RealRegistry;
use testkit::sandbox::Sandbox;
use tools::Tool;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == measure::MODE) {
        return measure::child(&arguments);
    }
    match options::parse(&arguments) {
        Ok(Asked::Help) => {
            println!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Asked::Run(options)) => run(&options).unwrap_or_else(|why| {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }),
        Err(why) => {
            eprintln!("bench: {why}\n\n{}", options::USAGE);
            ExitCode::from(125)
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let tools: Vec<Tool> = tools::all(&options.ours).into_iter().filter(|tool| options.wants(tool.name)).collect();
    let (tools, absent): (Vec<Tool>, Vec<Tool>) = tools.into_iter().partition(|tool| tool.is_there(&Sandbox::new()));
    // Before the long part: the tree may have moved on by the end.
    let facts = machine::facts(&tools, &absent, options);
    let registry = RealRegistry::start_plain()?;
    let sizes = &options.images;
    eprintln!("bench: making {} images and {} lists", sizes.iter().max().unwrap_or(&0), sizes.len());
    let stock = seed::stock(registry.addr(), sizes)?;
    let startup = startup::measure(&tools, options)?;
    let results = Contest::new(options, &tools, &stock, registry.addr(), "list")?.run();
    let bounds = jobs::measure(options, &tools, &stock, registry.addr())?;
    let verdicts = checks::all(&results, options);
    let report = table::markdown(&facts, &startup, &results, &bounds, &verdicts);
    println!("{report}");
    if let Some(file) = &options.output {
        std::fs::write(file, &report).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
        eprintln!("bench: written to {}", file.display());
    }
    let missed = verdicts.iter().filter(|verdict| !verdict.is_met).count();
    if missed > 0 {
        eprintln!("bench: {missed} of {} checks failed", verdicts.len());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
