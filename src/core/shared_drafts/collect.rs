//! Collects the entries that a publisher needs. It reads them by their names, waits for missing ones on request, and
//! lists tags only if the names cannot be computed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::content::registry::RegistryClient;
use crate::core::error::CommandError;
use crate::core::image_filters::PlatformFilter;
use crate::core::shared_draft_error::SharedDraftError;
use crate::core::shared_drafts::allowed_entries::AllowedEntries;
use crate::digest::Digest;
use crate::drafts::registry::{
    EntryLookup, EntryName, ExpectedEntryName, FoundEntry, PipelineRun, RejectedEntry, SharedDraftStore,
    SharedEntryKey, TagParts,
};
use crate::net::Clock;
use crate::reference::Reference;
use crate::sanitize;

/// The first wait between two rounds. Each further wait is 1.5 times as long.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// The longest wait between two rounds.
const POLL_PAUSE_MAX: Duration = Duration::from_secs(20);

/// The random part of a wait, as a fraction of it.
const WAIT_JITTER: f64 = 0.25;

/// The time between two lines that name the missing entries.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);

/// The maximum number of entries of other runs that are fetched for a hint.
const OTHER_RUNS_ENTRIES_MAX: usize = 8;

/// An entry that this job has stored itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobEntry {
    pub(crate) digest: Digest,
    /// Its name, if that is known.
    pub(crate) name: Option<EntryName>,
}

impl JobEntry {
    fn shown(&self) -> String {
        self.name.as_ref().map_or_else(|| self.digest.to_string(), |name| name.key.to_string())
    }
}

/// The entries to collect.
#[derive(Debug, Clone)]
pub(crate) struct CollectOptions<'a> {
    pub(crate) list: &'a Reference,
    pub(crate) run: &'a PipelineRun,
    pub(crate) require: &'a [PlatformFilter],
    /// Whether only entries of this attempt, or a later one, count.
    pub(crate) since_this_attempt: bool,
    pub(crate) allowed_entries: Option<&'a AllowedEntries>,
    /// The entries that this job has stored. It must see them before it decides what is missing.
    pub(crate) job_entries: Vec<JobEntry>,
    /// The maximum wait for missing entries.
    pub(crate) wait: Duration,
}

/// The collected entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CollectedEntries {
    /// The entries, each once.
    pub(crate) entries: Vec<FoundEntry>,
    /// The required platforms without an entry, as they were typed.
    pub(crate) missing: Vec<String>,
}

/// The client, the clock and the output.
#[derive(Clone, Copy)]
pub(crate) struct SharedDraftContext<'a> {
    pub(crate) registry: &'a RegistryClient,
    pub(crate) clock: &'a dyn Clock,
    /// Prints a line on stderr.
    pub(crate) note: &'a (dyn Fn(&str) + Sync),
}

/// Reads the entries, and waits for missing ones.
///
/// # Errors
/// [`SharedDraftError::NotAllowed`] for an entry that is not allowed, and errors of the registry.
pub(crate) fn wait_and_collect(
    context: SharedDraftContext<'_>,
    options: &CollectOptions<'_>,
) -> Result<CollectedEntries, CommandError> {
    if options.since_this_attempt && options.run.attempt.is_none() {
        return Err(SharedDraftError::NoRunAttempt.into());
    }
    EntryCollector::new(context, options).poll_until_complete()
}

/// Fetches the entries in `before` again by their tags. `None` if no digest has changed, or if one was deleted.
///
/// # Errors
/// As [`wait_and_collect`].
pub(crate) fn refetch_and_compare(
    context: SharedDraftContext<'_>,
    options: &CollectOptions<'_>,
    before: &[FoundEntry],
) -> Result<Option<Vec<FoundEntry>>, CommandError> {
    let mut collector = EntryCollector::new(context, options);
    collector.fetch(before.iter().map(|found| (found.tag.clone(), Some(found.entry.name.clone()))).collect())?;
    let digests = |entries: &mut dyn Iterator<Item = &FoundEntry>| -> BTreeMap<String, Digest> {
        entries.map(|found| (found.tag.clone(), found.digest.clone())).collect()
    };
    let is_unchanged = digests(&mut before.iter()) == digests(&mut collector.found.values());
    // A missing entry was deleted by the cleanup of another publisher. It cannot be fetched again and is no change.
    let has_all = before.len() == collector.found.len();
    Ok((has_all && !is_unchanged).then(|| collector.found.into_values().collect()))
}

struct EntryCollector<'a> {
    context: SharedDraftContext<'a>,
    options: &'a CollectOptions<'a>,
    drafts: SharedDraftStore<'a>,
    /// The list's tag.
    list_tag: &'a str,
    found: BTreeMap<String, FoundEntry>,
    /// The entries that this job has stored, as far as the registry serves them.
    served_job_entries: BTreeMap<String, FoundEntry>,
    /// The digests of tags that are not used, so that each is fetched and reported once.
    rejected: BTreeMap<String, Digest>,
}

impl<'a> EntryCollector<'a> {
    fn new(context: SharedDraftContext<'a>, options: &'a CollectOptions<'a>) -> EntryCollector<'a> {
        let drafts = SharedDraftStore::new(context.registry, options.list.repository(), options.run);
        let list_tag = options.list.tag().unwrap_or_default();
        let (found, served_job_entries, rejected) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        EntryCollector { context, options, drafts, list_tag, found, served_job_entries, rejected }
    }

    fn poll_until_complete(&mut self) -> Result<CollectedEntries, CommandError> {
        let start = self.context.clock.now();
        let mut sees_job_entries = self.try_fetch_job_entries()?;
        self.poll_first()?;
        let (mut pause, mut last_note) = (FIRST_WAIT, start);
        while !(sees_job_entries && self.tags_serve_job_entries() && self.is_complete()) {
            let now = self.context.clock.now();
            let remaining = self.options.wait.saturating_sub(now.saturating_duration_since(start));
            if remaining.is_zero() {
                break;
            }
            self.note_waiting(&mut last_note, start, now, remaining);
            let jitter = 1.0 + WAIT_JITTER * (2.0 * self.context.clock.random_fraction() - 1.0);
            self.context.clock.sleep(pause.mul_f64(jitter).min(remaining));
            pause = pause.mul_f64(1.5).min(POLL_PAUSE_MAX);
            sees_job_entries = sees_job_entries || self.try_fetch_job_entries()?;
            self.poll_once()?;
        }
        if !self.is_complete() && !self.options.require.is_empty() {
            self.search_after_timeout()?;
        }
        let unseen = self.options.job_entries.iter().filter(|_| !sees_job_entries).map(JobEntry::shown);
        let missing = self.missing().map(|required| required.text.clone()).chain(unseen).collect();
        Ok(CollectedEntries { entries: self.found.values().cloned().collect(), missing })
    }

    /// Whether the tags of this job's entries serve them, or a later attempt. An older entry may be a delayed read. A
    /// tag that another job has overwritten never becomes current.
    fn tags_serve_job_entries(&self) -> bool {
        self.served_job_entries.iter().all(|(tag, job_entry)| self.is_current(tag, job_entry))
    }

    fn is_current(&self, tag: &str, job_entry: &FoundEntry) -> bool {
        let is_job_entry =
            |found: &FoundEntry| found.digest == job_entry.digest || found.entry.attempt > job_entry.entry.attempt;
        self.found.get(tag).is_some_and(is_job_entry)
    }

    /// Whether the registry serves the entries of this job by their digests.
    fn try_fetch_job_entries(&mut self) -> Result<bool, CommandError> {
        for job_entry in &self.options.job_entries {
            match self.drafts.lookup_by_digest(&job_entry.digest, self.list_tag, job_entry.name.as_ref())? {
                EntryLookup::Absent => return Ok(false),
                EntryLookup::Found(found) => {
                    self.check_allowed(&found)?;
                    let key = found.entry.name.key.clone();
                    let is_required = self.options.require.iter().any(|required| satisfies(required, &found));
                    if !is_required && !self.options.require.is_empty() {
                        return Err(SharedDraftError::NotRequired { key: key.to_string() }.into());
                    }
                    self.found.insert(found.tag.clone(), (*found).clone());
                    self.served_job_entries.insert(found.tag.clone(), *found);
                }
                EntryLookup::Rejected(RejectedEntry { digest, error, .. }) => {
                    let (digest, list) = (digest.to_string(), self.options.list.to_string());
                    return Err(SharedDraftError::NotAnEntry { digest, list, reason: error.to_string() }.into());
                }
            }
        }
        Ok(true)
    }

    /// The first round: fetches all known names, and lists tags once if some names are not known.
    fn poll_first(&mut self) -> Result<(), CommandError> {
        if self.options.require.is_empty() {
            let tags = self.list_tags_of_run()?;
            return self.fetch(tags.into_iter().map(|tag| (tag, None)).collect());
        }
        let job_names = self.served_job_entries.values().map(|found| found.entry.name.clone());
        let names: BTreeSet<EntryName> = self.derived_names().into_iter().chain(job_names).collect();
        self.fetch(names.into_iter().map(|name| (name.tag(), Some(name))).collect())?;
        if self.needs_listing() {
            self.fetch_for_missing_platforms(self.list_tags_of_run()?)?;
        }
        Ok(())
    }

    /// A round while waiting: a HEAD of each missing name, and a GET of each new entry.
    fn poll_once(&mut self) -> Result<(), CommandError> {
        let before: BTreeSet<String> = self.found.keys().cloned().collect();
        let names = self.derived_names().into_iter().map(|name| (name.tag(), name));
        let outdated = self.served_job_entries.iter().filter(|(tag, job_entry)| !self.is_current(tag, job_entry));
        let outdated = outdated.map(|(tag, job_entry)| (tag.clone(), job_entry.entry.name.clone()));
        let names = names.filter(|(tag, _)| !self.found.contains_key(tag)).chain(outdated);
        let names: Vec<(String, EntryName)> = names.collect();
        let digest = |(tag, _): &(String, EntryName)| Ok(self.drafts.tag_digest(tag)?);
        let digests = CommandError::collect_parallel(self.context.registry.jobs(), &names, digest)?;
        let is_new = |tag: &String, digest: &Option<Digest>| {
            let known = self.found.get(tag).map(|found| &found.digest).or(self.rejected.get(tag));
            digest.as_ref().is_some_and(|digest| known != Some(digest))
        };
        let new_names = names.into_iter().zip(digests).filter(|((tag, _), digest)| is_new(tag, digest));
        self.fetch(new_names.map(|((tag, name), _)| (tag, Some(name))).collect())?;
        if self.needs_listing() && !self.is_complete() {
            self.fetch_for_missing_platforms(self.list_tags_of_run()?)?;
        }
        let note = self.context.note;
        let new_entries = self.found.iter().filter(|(tag, _)| !before.contains(*tag));
        new_entries.for_each(|(tag, found)| note(&format!("found {} ({tag})", found.entry.name.key)));
        Ok(())
    }

    /// After the timeout, lists all tags once: finds entries whose tags cannot be computed, and reports other runs that
    /// have the missing platforms. A registry that does not list tags changes nothing.
    fn search_after_timeout(&mut self) -> Result<(), CommandError> {
        let Ok(tags) = self.drafts.tags() else { return Ok(()) };
        let of_list: Vec<&(String, TagParts)> =
            tags.iter().filter(|(_, parts)| parts.belongs_to_list(self.list_tag)).collect();
        let run = self.options.run.id.as_deref();
        let (of_run, others): (Vec<_>, Vec<_>) = of_list.into_iter().partition(|(_, parts)| parts.belongs_to_run(run));
        self.fetch_for_missing_platforms(of_run.iter().map(|(tag, _)| tag.clone()).collect())?;
        let keys: BTreeSet<String> = self
            .missing()
            .filter_map(|required| SharedEntryKey::from_platform(&required.parsed))
            .map(|key| key.tag_part())
            .collect();
        let others = others.into_iter().filter(|(_, parts)| keys.contains(&parts.key)).take(OTHER_RUNS_ENTRIES_MAX);
        for (tag, _) in others {
            if let Ok(EntryLookup::Found(other)) = self.drafts.lookup(tag, ExpectedEntryName::Any) {
                let (key, run) = (&other.entry.name.key, other.entry.name.run.as_deref());
                let run = run.map_or_else(|| "no run".to_owned(), |run| format!("run {}", sanitize::short_line(run)));
                (self.context.note)(&format!("{run} has {key}: was --run meant?"));
            }
        }
        Ok(())
    }

    /// The tags of this list and run. One listing.
    fn list_tags_of_run(&self) -> Result<Vec<String>, CommandError> {
        let run = self.options.run.id.as_deref();
        let tags = self.drafts.tags()?.into_iter();
        let of_run = tags.filter(|(_, parts)| parts.belongs_to_list(self.list_tag) && parts.belongs_to_run(run));
        Ok(of_run.map(|(tag, _)| tag).collect())
    }

    /// Fetches these entries. Keeps those for required platforms that have no entry yet, or whose tags cannot be
    /// computed.
    fn fetch_for_missing_platforms(&mut self, tags: Vec<String>) -> Result<(), CommandError> {
        let known: BTreeSet<String> = self.found.keys().chain(self.rejected.keys()).cloned().collect();
        let is_underivable = |required: &&PlatformFilter| !SharedEntryKey::has_single_key(&required.parsed);
        let underivable = self.options.require.iter().filter(is_underivable);
        let unsatisfied: Vec<PlatformFilter> = self.missing().chain(underivable).cloned().collect();
        let tags: Vec<String> = tags.into_iter().filter(|tag| !known.contains(tag)).collect();
        self.fetch(tags.iter().map(|tag| (tag.clone(), None)).collect())?;
        let is_needed = |found: &FoundEntry| unsatisfied.iter().any(|required| satisfies(required, found));
        self.found.retain(|tag, found| !tags.contains(tag) || is_needed(found));
        Ok(())
    }

    /// Fetches the content of these tags, and keeps the valid entries.
    fn fetch(&mut self, tags: Vec<(String, Option<EntryName>)>) -> Result<(), CommandError> {
        let looked_up = self
            .drafts
            .lookup_all(&tags, self.list_tag)
            .map_err(|errors| CommandError::combine(errors.into_iter().map(CommandError::from).collect()))?;
        for lookup in looked_up {
            match lookup {
                EntryLookup::Absent => {}
                EntryLookup::Found(found) if self.is_stale(&found) => {
                    let reason = "it is of an earlier attempt, and --fresh was given".to_owned();
                    self.reject(found.tag, found.digest, &reason);
                }
                EntryLookup::Found(found) => {
                    self.check_allowed(&found)?;
                    self.found.insert(found.tag.clone(), *found);
                }
                EntryLookup::Rejected(RejectedEntry { tag, digest, error }) => {
                    self.reject(tag, digest, &error.to_string())
                }
            }
        }
        Ok(())
    }

    fn reject(&mut self, tag: String, digest: Digest, reason: &str) {
        if self.rejected.get(&tag) != Some(&digest) {
            let repository = self.options.list.repository();
            (self.context.note)(&format!("warning: {repository}:{tag} is not used: {}", sanitize::short_line(reason)));
        }
        self.rejected.insert(tag, digest);
    }

    fn is_stale(&self, found: &FoundEntry) -> bool {
        self.options.since_this_attempt && found.entry.attempt < self.options.run.attempt
    }

    fn check_allowed(&self, found: &FoundEntry) -> Result<(), CommandError> {
        match self.options.allowed_entries {
            Some(allowed) if !allowed.digests.contains(&found.digest) => Err(SharedDraftError::NotAllowed {
                tag: format!("{}:{}", self.options.list.repository(), found.tag),
                digest: found.digest.to_string(),
                file: allowed.file.clone(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// The names of the entries of the required platforms whose tags can be computed.
    fn derived_names(&self) -> BTreeSet<EntryName> {
        let derivable = self.options.require.iter().filter(|required| SharedEntryKey::has_single_key(&required.parsed));
        let name = |key| EntryName { list_tag: self.list_tag.to_owned(), run: self.options.run.id.clone(), key };
        derivable.filter_map(|required| SharedEntryKey::from_platform(&required.parsed)).map(name).collect()
    }

    /// Whether the tag of a required entry cannot be computed: for a Windows platform without its build, and if this
    /// job has stored an entry under a key of the user.
    fn needs_listing(&self) -> bool {
        let has_user_key = |entry: &JobEntry| entry.name.as_ref().is_some_and(|name| !name.key.is_platform());
        self.options.require.iter().any(|required| !SharedEntryKey::has_single_key(&required.parsed))
            || self.options.job_entries.iter().any(has_user_key)
    }

    fn missing(&self) -> impl Iterator<Item = &PlatformFilter> {
        self.options.require.iter().filter(|required| !self.found.values().any(|found| satisfies(required, found)))
    }

    fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }

    fn note_waiting(&self, last_note: &mut Instant, start: Instant, now: Instant, remaining: Duration) {
        let is_first = *last_note == start && now.saturating_duration_since(start) < FIRST_WAIT;
        if !is_first && now.saturating_duration_since(*last_note) < NOTE_INTERVAL {
            return;
        }
        *last_note = now;
        let missing: Vec<&str> = self.missing().map(|required| required.text.as_str()).collect();
        if missing.is_empty() {
            return (self.context.note)("waiting until the registry serves the entry that this job has stored");
        }
        let required = self.options.require.len();
        let present = required.saturating_sub(missing.len());
        let remaining = match remaining.as_secs() {
            seconds @ 0..120 => format!("{seconds}s"),
            seconds => format!("{}m", seconds / 60),
        };
        (self.context.note)(&format!(
            "waiting for {} ({present} of {required} there), {remaining} left",
            missing.join(", ")
        ));
    }
}

/// Whether an entry matches a required platform.
fn satisfies(required: &PlatformFilter, found: &FoundEntry) -> bool {
    found.entry.image.platform.as_ref().is_some_and(|platform| platform.matches(&required.parsed))
}
