//! The runs themselves: which tool does what, how often, and what is left out.

use std::time::{Duration, Instant};

use testkit::latency_link::LatencyLink;
use testkit::sandbox::Sandbox;

use crate::measure::{self, Usage};
use crate::options::{MEASUREMENT_TIME_MAX, Options};
use crate::results::{Key, Results, Sample};
use crate::seed::SeededImages;
use crate::tools::{Job, Task, Tool};

/// Jobs that share a sandbox: pushing again needs the draft that was pushed.
pub(crate) const JOB_GROUPS: [&[Job]; 4] =
    [&[Job::Publish, Job::Again], &[Job::Apply], &[Job::Inspect], &[Job::Verbose]];

/// What takes less is measured even when the time for the whole bench is spent.
const BUDGET_EXEMPT: Duration = Duration::from_secs(2);

/// What the tools run against.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// A link to the registry for each round-trip time.
    pub(crate) links: &'a [LatencyLink],
    pub(crate) seeded: &'a SeededImages,
    /// A login, as config.json has it.
    pub(crate) login: Option<&'a str>,
    /// Variables for every tool.
    pub(crate) env: &'a [(String, String)],
    /// Whether ours has run before in the same home.
    pub(crate) has_warm_home: bool,
}

/// Everything that a run needs.
pub(crate) struct Comparison<'a> {
    options: &'a Options,
    tools: &'a [Tool],
    setup: Setup<'a>,
    begin: Instant,
    results: Results,
    /// What the lists that it makes are called, and how many were made, so that each goes to a repository of its own.
    list_prefix: String,
    made: usize,
}

/// A tool that takes part in some jobs, so many times.
#[derive(Clone)]
struct Participant<'a> {
    tool: &'a Tool,
    jobs: Vec<Job>,
    runs: usize,
}

impl<'a> Comparison<'a> {
    /// Has run nothing yet; the names of the lists will begin with `list_prefix`.
    pub(crate) fn new(options: &'a Options, tools: &'a [Tool], setup: Setup<'a>, list_prefix: &str) -> Self {
        let (begin, list_prefix) = (Instant::now(), list_prefix.to_owned());
        Comparison { options, tools, setup, begin, results: Results::default(), list_prefix, made: 0 }
    }

    /// Runs everything. A tool that fails is a line of the report, and no error.
    pub(crate) fn run(mut self, job_groups: &[&[Job]]) -> Results {
        for link in self.setup.links {
            for &images in &self.options.images {
                for jobs in job_groups {
                    self.run_job_group(link, images, jobs);
                }
            }
        }
        self.results
    }

    /// The tools in turns, each as often as its slowness allows.
    fn run_job_group(&mut self, link: &LatencyLink, images: usize, jobs: &[Job]) {
        let (time, rtt) = (self.begin.elapsed().as_secs(), link.rtt().as_millis());
        eprintln!("bench: {time:4} s  {rtt:3} ms  {images:3} images  {}", jobs[0].title());
        let tools = self.tools;
        let participants: Vec<Participant> =
            tools.iter().map(|tool| self.select_jobs(tool, link, images, jobs)).collect();
        for round in 0..self.options.runs {
            // Another begins in each round: who comes first may find the registry colder.
            let mut order: Vec<&Participant> = participants.iter().collect();
            order.rotate_left(round % participants.len().max(1));
            for participant in order.into_iter().filter(|participant| round < participant.runs) {
                self.turn(participant, link, images);
            }
        }
    }

    /// What a tool takes part in; what it is left out of is said in the results.
    fn select_jobs(&mut self, tool: &'a Tool, link: &LatencyLink, images: usize, jobs: &[Job]) -> Participant<'a> {
        let task = self.task(link, images);
        let limit = self.options.limit;
        let mut participant = Participant { tool, jobs: Vec::new(), runs: self.options.runs };
        let mut whole = Duration::ZERO;
        for &job in jobs.iter().filter(|job| tool.commands(**job, &task).is_some()) {
            let key = Key { job, images, rtt: link.rtt(), tool: tool.name };
            let expected = self.estimated_duration(&key);
            if self.begin.elapsed() > self.options.budget && expected > BUDGET_EXEMPT {
                self.results.mark_missing(key, "left out: the time for the whole bench was spent".to_owned());
            } else if expected > limit {
                let reason = format!("left out: it would take over {} s a run", limit.as_secs());
                self.results.mark_missing(key, reason);
                if job == Job::Publish {
                    let key = Key { job: Job::Again, images, rtt: link.rtt(), tool: tool.name };
                    self.results.mark_missing(key, "left out with the first push".to_owned());
                    break;
                }
            } else {
                participant.jobs.push(job);
                whole += expected;
            }
        }
        let affordable = MEASUREMENT_TIME_MAX.as_millis().checked_div(whole.as_millis()).unwrap_or(u128::MAX);
        participant.runs = usize::try_from(affordable).unwrap_or(usize::MAX).clamp(1, self.options.runs);
        participant
    }

    /// About how long a run will take, to decide whether it is run at all; nothing of this is reported.
    fn estimated_duration(&self, key: &Key) -> Duration {
        let known: Vec<(&Key, Sample)> =
            self.results.medians_of(key.tool).filter(|(it, _)| it.job == key.job).collect();
        let same_list = known.iter().filter(|(it, _)| it.images == key.images).max_by_key(|(it, _)| it.rtt);
        let by_line = same_list.map(|(it, sample)| {
            if it.rtt.is_zero() {
                // At most: a tool that does things at the same time is faster.
                return sample.usage.wall
                    + key.rtt * u32::try_from(sample.round_trips_without_concurrency).unwrap_or(u32::MAX);
            }
            sample.usage.wall.mul_f64(key.rtt.as_secs_f64() / it.rtt.as_secs_f64())
        });
        let same_line = known.iter().filter(|(it, _)| it.rtt == key.rtt).max_by_key(|(it, _)| it.images);
        let by_list =
            same_line.map(|(it, sample)| sample.usage.wall.mul_f64(key.images as f64 / it.images.max(1) as f64));
        by_line.into_iter().chain(by_list).min().unwrap_or_default()
    }

    fn task(&self, link: &LatencyLink, images: usize) -> Task<'a> {
        let host = link.proxy.host();
        Task {
            new_list: format!("{host}/made/{}-{}:1", self.list_prefix, self.made),
            sources: &self.setup.seeded.sources[..images],
            existing_list: format!("{host}/{}", SeededImages::list(images)),
            target_host: host.clone(),
            login: self.setup.login.map(str::to_owned),
            host,
        }
    }

    /// One tool's jobs, once, in a fresh home.
    fn turn(&mut self, participant: &Participant<'_>, link: &LatencyLink, images: usize) {
        let tool = participant.tool;
        self.made += 1;
        let task = self.task(link, images);
        let variables = self.options.env.iter().chain(self.setup.env);
        let sandbox = variables.fold(Sandbox::new(), |sandbox, (key, value)| sandbox.env(key, value));
        tool.prepare(&sandbox, &task);
        // Twice the limit: a run that only expectation got wrong is still worth having.
        let limit = self.options.limit * 2;
        let before =
            tool.commands(Job::Inspect, &task).filter(|_| self.setup.has_warm_home && tool.caches_between_runs());
        for words in before.unwrap_or_default() {
            // One that fails here fails below as well, where it is reported.
            let _ = measure::process(&sandbox, &words, limit);
        }
        for &job in &participant.jobs {
            let key = Key { job, images, rtt: link.rtt(), tool: tool.name };
            let commands = tool.commands(job, &task).unwrap_or_default();
            let _ = link.take();
            let usage = commands.iter().try_fold(Usage::default(), |usage, words| {
                Ok::<_, String>(usage.then(measure::process(&sandbox, words, limit)?))
            });
            match usage {
                Ok(usage) => self.results.add_run(key, Sample::new(usage, &link.take())),
                Err(reason) => return self.results.mark_missing(key, reason),
            }
        }
    }
}
