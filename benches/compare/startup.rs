//! How long a tool takes to say its version, beside a program that does nothing at all.

use std::time::Duration;

use testkit::sandbox::Sandbox;

use crate::measure::{self, Usage};
use crate::options::Options;
use crate::results::median_by;
use crate::tools::Tool;

const RUNS: usize = 40;
const LIMIT: Duration = Duration::from_secs(20);

/// A command and its median.
pub(crate) struct StartupTime {
    pub(crate) command: String,
    pub(crate) usage: Usage,
}

/// Starts every tool many times, in turns.
///
/// # Errors
/// Where one of them fails.
pub(crate) fn measure(tools: &[Tool], options: &Options) -> Result<Vec<StartupTime>, String> {
    let sandbox = Sandbox::new();
    let mut commands = vec![vec!["/bin/true".to_owned()]];
    commands.extend(tools.iter().map(Tool::startup_command));
    let mut samples = vec![Vec::new(); commands.len()];
    for _ in 0..RUNS.min(options.runs * 8) {
        for (command, samples) in commands.iter().zip(&mut samples) {
            samples.push(measure::process(&sandbox, command, LIMIT)?);
        }
    }
    let start = |(words, samples): (&Vec<String>, &Vec<Usage>)| {
        let usage = Usage {
            wall: median_by(samples, |usage| usage.wall)?,
            cpu: median_by(samples, |usage| usage.cpu)?,
            peak: median_by(samples, |usage| usage.peak)?,
        };
        let (program, words) = words.split_first()?;
        let name = program.rsplit_once('/').filter(|_| program != "/bin/true").map_or(program.as_str(), |it| it.1);
        let command = std::iter::once(name).chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        Some(StartupTime { command, usage })
    };
    Ok(commands.iter().zip(&samples).filter_map(start).collect())
}
