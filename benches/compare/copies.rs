//! Copying blobs from one registry to another on this machine, with no delay: what is measured is work.

use std::time::Duration;

use testkit::client::Client;
use testkit::latency_link::Counts;
use testkit::real::RealRegistry;
use testkit::sandbox::Sandbox;

use crate::measure::{self, Usage};
use crate::options::Options;
use crate::results::{Key, Results, Sample};
use crate::seed;
use crate::tools::{Job, Task, Tool};

/// 8 images with a layer of 64 MB that all have and one of 32 MB each: 320 MB.
const IMAGES: usize = 8;
const SHARED: usize = 64 << 20;
const OWN: usize = 32 << 20;

/// Every tool in turn, each time to a registry that has nothing.
///
/// # Errors
/// Where a registry cannot be had or filled.
pub(crate) fn measure(options: &Options, tools: &[Tool]) -> Result<Results, String> {
    let mut results = Results::default();
    if !options.has_part("copy") {
        return Ok(results);
    }
    let source = RealRegistry::start_plain()?;
    let stock = seed::large(&Client::new(source.addr()), IMAGES, SHARED, OWN)?;
    for round in 0..options.runs {
        eprintln!("bench: copies, round {}", round + 1);
        let mut order: Vec<&Tool> = tools.iter().collect();
        order.rotate_left(round % tools.len().max(1));
        for tool in order {
            let target = RealRegistry::start_plain()?;
            let task = Task {
                host: source.host(),
                target_host: target.host(),
                login: None,
                new_list: format!("{}/made/copied:1", target.host()),
                sources: &stock.sources,
                existing_list: String::new(),
            };
            let Some(commands) = tool.commands(Job::Copy, &task) else { continue };
            let sandbox = options.env.iter().fold(Sandbox::new(), |sandbox, (key, value)| sandbox.env(key, value));
            tool.prepare(&sandbox, &task);
            let key = Key { job: Job::Copy, images: IMAGES, rtt: Duration::ZERO, tool: tool.name };
            let usage = commands.iter().try_fold(Usage::default(), |usage, words| {
                Ok::<_, String>(usage.then(measure::process(&sandbox, words, options.limit * 2)?))
            });
            match usage {
                Ok(usage) => results.add_run(key, Sample::new(usage, &Counts::default())),
                Err(reason) => results.mark_missing(key, reason),
            }
        }
    }
    Ok(results)
}
