//! Finding the referrers of manifests in one repository: by the referrers API, or by the referrers tag where the
//! registry has none (OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema"), and by cosign's tags.
//! Never by a list of tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::content::registry::{FetchedManifest, ManifestName, Registry};
use crate::core::error::CommandError;
use crate::core::request::ReferrersPolicy;
use crate::digest::Digest;
use crate::model::descriptor::Descriptor;
use crate::model::index::Index;
use crate::model::manifest::ManifestKind;
use crate::model::{manifest, referrers};
use crate::net::{RegistryErrorKind, tasks};
use crate::reference::{Reference, Repository};
use crate::sync::lock;

/// How many referrers a manifest may have.
pub(crate) const REFERRERS_MAX: usize = 1_000;
/// How deep referrers of referrers are followed.
pub(crate) const DEPTH_MAX: usize = 4;

/// A manifest that refers to another one, with its bytes as the registry has served them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundReferrer {
    /// Where it is.
    pub(crate) repository: Repository,
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    /// Its own, or its configuration's media type.
    pub(crate) artifact_type: String,
    /// The manifest that it is about; for a manifest that an index among the referrers names, that index.
    pub(crate) subject: Digest,
    /// The tags of cosign that serve it.
    pub(crate) tags: Vec<String>,
}

impl FoundReferrer {
    fn new(repository: &Repository, manifest: FetchedManifest, subject: Digest) -> FoundReferrer {
        let FetchedManifest { media_type, bytes, digest } = manifest;
        let (repository, artifact_type) = (repository.clone(), referrers::artifact_type(&bytes));
        FoundReferrer { repository, digest, media_type, bytes, artifact_type, subject, tags: Vec::new() }
    }

    /// Whether it is an index: then it comes after the manifests that it names.
    pub(crate) fn is_index(&self) -> bool {
        ManifestKind::of(&self.media_type) == Some(ManifestKind::List)
    }
}

/// A manifest whose referrers are looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    /// Where it is, and where its referrers are then.
    pub(crate) repository: Repository,
    pub(crate) digest: Digest,
}

/// Finds referrers.
pub(crate) struct Discovery<'a> {
    registry: &'a Registry,
    /// Which of them are wanted.
    policy: ReferrersPolicy,
    /// Only these artifact types; all where there are none.
    types: &'a [String],
    /// The registries that do not have the referrers API.
    without_api: Mutex<BTreeSet<String>>,
}

/// Something that refers to `subject`.
struct Listed {
    subject: Subject,
    digest: Digest,
    /// What the list says of its type; empty where it does not.
    artifact_type: String,
    /// The tag of cosign that serves it.
    tag: Option<String>,
}

/// One question to the registry.
enum Query<'q> {
    /// What the API, or the referrers tag, lists for this manifest.
    Referrers(&'q Subject),
    /// What a tag of cosign serves.
    Cosign(&'q Subject, &'static str),
}

impl<'a> Discovery<'a> {
    /// Sends nothing.
    pub(crate) fn new(registry: &'a Registry, policy: ReferrersPolicy, types: &'a [String]) -> Discovery<'a> {
        Discovery { registry, policy, types, without_api: Mutex::default() }
    }

    /// The referrers of these manifests, those of the referrers too, each once; an index after what it names.
    ///
    /// The first manifest of each registry is asked for at first: after that it is known which registries have the API.
    /// The others go in one wave, with a HEAD for each of cosign's three tags.
    ///
    /// # Errors
    /// A failed request; more than [`REFERRERS_MAX`] referrers of one manifest, or more than [`DEPTH_MAX`] levels.
    pub(crate) fn find(&self, subjects: &[Subject]) -> Result<Vec<FoundReferrer>, CommandError> {
        let mut seen: BTreeSet<Subject> = BTreeSet::new();
        let new = |subject: &&Subject| seen.insert((*subject).clone());
        let mut level: Vec<Subject> = subjects.iter().filter(new).cloned().collect();
        let mut found: Vec<FoundReferrer> = Vec::new();
        if self.policy == ReferrersPolicy::Drop {
            return Ok(found);
        }
        for depth in 0..=DEPTH_MAX {
            let listed = self.listed(&level, depth == 0)?;
            let listed: Vec<Listed> = listed.into_iter().filter(|listed| self.may_be_wanted(listed)).collect();
            if listed.is_empty() {
                return Ok(found);
            }
            if depth == DEPTH_MAX {
                let subject = level.first().map(|subject| subject.digest.to_string()).unwrap_or_default();
                return Err(CommandError::Referrers {
                    subject,
                    why: format!("they are more than {DEPTH_MAX} levels deep"),
                });
            }
            level = self.fetched(listed, &mut seen, &mut found)?;
        }
        Ok(found)
    }

    /// What refers to these manifests.
    fn listed(&self, subjects: &[Subject], has_cosign_tags: bool) -> Result<Vec<Listed>, CommandError> {
        let mut registries: BTreeSet<&str> = BTreeSet::new();
        let (first, others): (Vec<&Subject>, Vec<&Subject>) =
            subjects.iter().partition(|subject| registries.insert(subject.repository.domain()));
        let first: Vec<Query<'_>> = first.into_iter().map(Query::Referrers).collect();
        let kinds = if has_cosign_tags { &referrers::COSIGN_KINDS[..] } else { &[] };
        let cosign = subjects.iter().flat_map(|subject| kinds.iter().map(move |kind| Query::Cosign(subject, kind)));
        let others: Vec<Query<'_>> = others.into_iter().map(Query::Referrers).chain(cosign).collect();
        let mut listed = Vec::new();
        for wave in [first, others] {
            let found =
                tasks::in_order(self.registry.jobs(), &wave, |query| self.ask(query)).map_err(CommandError::of)?;
            listed.extend(found.into_iter().flatten());
        }
        Ok(listed)
    }

    fn ask(&self, query: &Query<'_>) -> Result<Vec<Listed>, CommandError> {
        match query {
            Query::Referrers(subject) => {
                let descriptors = self.referrers_of(subject)?.into_iter();
                Ok(descriptors.map(|descriptor| Listed::of(subject, descriptor)).collect())
            }
            Query::Cosign(subject, kind) => {
                let tag = referrers::cosign_tag(&subject.digest, kind);
                let found = self.registry.has_manifest(&subject.repository, &ManifestName::Tag(tag.clone()))?;
                let listed = |digest| Listed {
                    subject: (*subject).clone(),
                    digest,
                    artifact_type: String::new(),
                    tag: Some(tag),
                };
                Ok(found.map(listed).into_iter().collect())
            }
        }
    }

    fn referrers_of(&self, Subject { repository, digest }: &Subject) -> Result<Vec<Descriptor>, CommandError> {
        let without_api = || lock(&self.without_api);
        let is_known = without_api().contains(repository.domain());
        if !is_known {
            if let Some(found) = self.registry.referrer_descriptors(repository, digest, REFERRERS_MAX)? {
                return Ok(found);
            }
            without_api().insert(repository.domain().to_owned());
        }
        let name = format!("{repository}:{}", referrers::tag(digest));
        let Ok(tag) = Reference::parse(&name) else { return Ok(Vec::new()) };
        let served = match self.registry.manifest(&tag) {
            Ok(served) => served,
            Err(error) if error.kind == RegistryErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        // A tag of this name that serves something else is nobody's list of referrers.
        if ManifestKind::of(&served.media_type) != Some(ManifestKind::List) {
            return Ok(Vec::new());
        }
        let wrong = |source| CommandError::Served { reference: tag.to_string(), source };
        let listed = Index::decode(&served.bytes).map_err(wrong)?.manifests;
        if listed.len() > REFERRERS_MAX {
            return Err(CommandError::Referrers { subject: digest.to_string(), why: too_many() });
        }
        Ok(listed)
    }

    /// Whether it can be wanted, as far as the list says what it is.
    fn may_be_wanted(&self, listed: &Listed) -> bool {
        listed.artifact_type.is_empty() || self.is_wanted(&listed.artifact_type, listed.tag.is_some())
    }

    fn is_wanted(&self, artifact_type: &str, is_cosign: bool) -> bool {
        let is_kind = match self.policy {
            ReferrersPolicy::Drop => false,
            ReferrersPolicy::All => true,
            ReferrersPolicy::Keep => is_cosign || referrers::signs_or_attests(artifact_type),
        };
        is_kind && (self.types.is_empty() || self.types.iter().any(|wanted| wanted == artifact_type))
    }

    /// Fetches those that were not seen before, adds those that are wanted to `found`, and gives them as subjects. One
    /// that is listed and not there is left out: lists of referrers outlive what they list.
    fn fetched(
        &self,
        listed: Vec<Listed>,
        seen: &mut BTreeSet<Subject>,
        found: &mut Vec<FoundReferrer>,
    ) -> Result<Vec<Subject>, CommandError> {
        let mut order: Vec<Subject> = Vec::new();
        let mut about: BTreeMap<Subject, (Digest, Vec<String>)> = BTreeMap::new();
        for Listed { subject, digest, tag, .. } in listed {
            let referrer = Subject { repository: subject.repository, digest };
            if seen.insert(referrer.clone()) {
                order.push(referrer.clone());
                about.insert(referrer.clone(), (subject.digest, Vec::new()));
            }
            if let Some((_, tags)) = about.get_mut(&referrer) {
                tags.extend(tag);
            }
        }
        let fetched =
            tasks::in_order(self.registry.jobs(), &order, |subject| self.fetch(subject)).map_err(CommandError::of)?;
        let mut level = Vec::new();
        for (referrer, manifest) in order.into_iter().zip(fetched) {
            let (Some((subject, tags)), Some(manifest)) = (about.remove(&referrer), manifest) else { continue };
            let manifest = FoundReferrer { tags, ..FoundReferrer::new(&referrer.repository, manifest, subject) };
            if self.is_wanted(&manifest.artifact_type, !manifest.tags.is_empty()) {
                self.add(manifest, seen, found)?;
                level.push(referrer);
            }
        }
        Ok(level)
    }

    /// Adds a referrer; of an index first what it names.
    fn add(
        &self,
        referrer: FoundReferrer,
        seen: &mut BTreeSet<Subject>,
        found: &mut Vec<FoundReferrer>,
    ) -> Result<(), CommandError> {
        if referrer.is_index() {
            let repository = &referrer.repository;
            let name = repository.at_digest(&referrer.digest).to_string();
            let wrong = |source| CommandError::Served { reference: name.clone(), source };
            let children = Index::decode(&referrer.bytes).map_err(wrong)?.manifests;
            if children.len() > REFERRERS_MAX {
                return Err(CommandError::Referrers { subject: name, why: too_many() });
            }
            for child in children {
                let child = Subject { repository: repository.clone(), digest: child.digest };
                if !seen.insert(child.clone()) {
                    continue;
                }
                let child = self.registry.manifest(&repository.at_digest(&child.digest))?;
                let child = FoundReferrer::new(repository, child, referrer.digest.clone());
                if child.is_index() {
                    return Err(CommandError::Referrers {
                        subject: name,
                        why: "it has an index in an index".to_owned(),
                    });
                }
                found.push(child);
            }
        }
        found.push(referrer);
        Ok(())
    }

    fn fetch(&self, Subject { repository, digest }: &Subject) -> Result<Option<FetchedManifest>, CommandError> {
        let reference = repository.at_digest(digest);
        let mut fetched = match self.registry.manifest(&reference) {
            Ok(fetched) => fetched,
            Err(error) if error.kind == RegistryErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let served = |source| CommandError::Served { reference: reference.to_string(), source };
        if let Some(found) = manifest::served_type(&fetched.media_type, &fetched.bytes).map_err(served)? {
            found.clone_into(&mut fetched.media_type);
        }
        Ok(Some(fetched))
    }
}

fn too_many() -> String {
    format!("there are more than {REFERRERS_MAX}")
}

impl Listed {
    fn of(subject: &Subject, descriptor: Descriptor) -> Listed {
        let Descriptor { digest, artifact_type, .. } = descriptor;
        Listed { subject: subject.clone(), digest, artifact_type, tag: None }
    }
}
