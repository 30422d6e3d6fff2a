//! What the bench was asked to do.

use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
usage: cargo bench --bench compare -- [OPTIONS]        (or: make bench)

  --quick              1, 5 and 50 images at 0 and 40 ms, few runs, nothing written
  --images 1,5,50,500  how many images a list is made of
  --rtt 0,10,40,100    round-trip times of the link, in ms
  --runs 5             the most runs of a measurement; slow ones get fewer
  --tools docker,ours  only these (docker, ours, crane, regctl, manifest-tool, buildx)
  --baseline PATH      another docker-manifest, run in turn with ours; ratios are made pair by pair
  --parts plain,tls    only these (plain, tls, copy, jobs)
  --limit 90           leave out what would take longer than so many seconds a run
  --budget 1200        begin no slow measurement after so many seconds
  --env NAME=VALUE     an environment variable for every tool; may be repeated
  --ours PATH          another docker-manifest than the one just built
  --output FILE        where the Markdown goes (benches/results.md)";

/// How long one measurement of a slow tool may take over all its runs.
pub(crate) const MEASUREMENT_TIME_MAX: Duration = Duration::from_secs(20);

/// What the command line says.
pub(crate) enum CommandLine {
    /// To tell how it is used.
    Help,
    /// To run.
    Run(Box<Options>),
}

/// A run of the bench.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) images: Vec<usize>,
    pub(crate) rtts: Vec<Duration>,
    pub(crate) runs: usize,
    pub(crate) tools: Option<Vec<String>>,
    pub(crate) limit: Duration,
    pub(crate) budget: Duration,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) ours: PathBuf,
    pub(crate) baseline: Option<PathBuf>,
    /// Which parts of the bench; `None` for all.
    pub(crate) parts: Option<Vec<String>>,
    pub(crate) output: Option<PathBuf>,
    /// The options as typed, for the report.
    pub(crate) typed: String,
}

impl Options {
    fn new(quick: bool) -> Options {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let millis = |values: &[u64]| values.iter().copied().map(Duration::from_millis).collect();
        let whole = Options {
            images: vec![1, 5, 50, 500],
            rtts: millis(&[0, 10, 40, 100]),
            runs: 5,
            tools: None,
            limit: Duration::from_secs(90),
            budget: Duration::from_secs(1200),
            env: Vec::new(),
            ours: PathBuf::from(env!("CARGO_BIN_EXE_docker-manifest")),
            baseline: None,
            parts: None,
            output: Some(root.join("benches/results.md")),
            typed: String::new(),
        };
        if !quick {
            return whole;
        }
        Options {
            images: vec![1, 5, 50],
            rtts: millis(&[0, 40]),
            runs: 2,
            limit: Duration::from_secs(15),
            budget: Duration::from_secs(100),
            output: None,
            ..whole
        }
    }

    /// Whether a tool is among those asked for.
    pub(crate) fn wants(&self, tool: &str) -> bool {
        let is_baseline = tool == crate::tools::BASELINE;
        is_baseline || self.tools.as_ref().is_none_or(|tools| tools.iter().any(|name| name == tool))
    }

    /// Whether a part of the bench is among those asked for.
    pub(crate) fn has_part(&self, part: &str) -> bool {
        self.parts.as_ref().is_none_or(|parts| parts.iter().any(|name| name == part))
    }
}

/// Reads the arguments, without the program's own name.
pub(crate) fn parse(arguments: &[String]) -> Result<CommandLine, String> {
    // `cargo bench` says so itself; without it this is `cargo test --benches`, which wants no hours of work.
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| *argument != "--bench").collect();
    if !is_bench || words.iter().any(|word| ["-h", "--help"].contains(word)) {
        return Ok(CommandLine::Help);
    }
    let mut options = Options::new(words.contains(&"--quick"));
    options.typed = words.join(" ");
    let mut words = words.into_iter().filter(|word| *word != "--quick");
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} wants a value, or is not known"))?;
        set(&mut options, name, value)?;
    }
    options.images.sort_unstable();
    options.rtts.sort_unstable();
    Ok(CommandLine::Run(Box::new(options)))
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{name}: {text} is not a number"));
    let numbers = || value.split(',').map(number).collect::<Result<Vec<usize>, _>>();
    let seconds = || number(value).map(|seconds| Duration::from_secs(seconds as u64));
    match name {
        "--images" => options.images = numbers()?,
        "--rtt" => options.rtts = numbers()?.into_iter().map(|ms| Duration::from_millis(ms as u64)).collect(),
        "--runs" => options.runs = number(value)?.max(1),
        "--tools" => options.tools = Some(value.split(',').map(str::to_owned).collect()),
        "--limit" => options.limit = seconds()?,
        "--budget" => options.budget = seconds()?,
        "--ours" => options.ours = PathBuf::from(value),
        "--baseline" => options.baseline = Some(PathBuf::from(value)),
        "--parts" => options.parts = Some(value.split(',').map(str::to_owned).collect()),
        "--output" => options.output = Some(PathBuf::from(value)),
        "--env" => {
            let (key, value) = value.split_once('=').ok_or_else(|| format!("--env {value} is not NAME=VALUE"))?;
            options.env.push((key.to_owned(), value.to_owned()));
        }
        _ => return Err(format!("{name} is not known")),
    }
    Ok(())
}
