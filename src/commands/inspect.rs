//! `inspect`: the draft of that name first, then whatever the registry has.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::args::Inspect;
use crate::commands::error::CommandError;
use crate::commands::fetch::{self, Found, Platforms};
use crate::commands::{Context, parsed, pool};
use crate::digest::Digest;
use crate::document::descriptor::Descriptor;
use crate::document::list::{self, Index};
use crate::document::manifest::Schema;
use crate::document::{DocumentError, Draft, Entry, gojson};
use crate::reference::Reference;
use crate::registry::{Access, Registry};
use crate::store::{Store, StoreError};

const INDENTATION: &str = "\t";

pub(super) fn run(context: &Context, args: &Inspect) -> Result<(), CommandError> {
    let image = parsed(&args.image)?;
    let store = context.store();
    let text = match &args.list {
        Some(list) => stored_entry(&store, parsed(list)?, image, args.verbose)?,
        None => match stored_list(&store, image)? {
            Some(draft) => shown_draft(&draft, args.verbose)?,
            None => remote(context, image, args)?,
        },
    };
    Ok(context.streams.data(&text)?)
}

/// A list that only shares its directory's name with this one is not this one: then the registry is asked.
fn stored_list(store: &Store, list: &Reference) -> Result<Option<Draft>, CommandError> {
    match store.draft(list) {
        Err(StoreError::NameTaken { .. }) => Ok(None),
        found => Ok(found?),
    }
}

fn stored_entry(store: &Store, list: &Reference, image: &Reference, verbose: bool) -> Result<Vec<u8>, CommandError> {
    let draft = store.draft(list)?;
    let entry = draft.as_ref().and_then(|draft| draft.get(image));
    let entry = entry.ok_or_else(|| CommandError::NotStored(image.to_string()))?;
    if verbose {
        return Ok(line(gojson::indent(&entry.encode()?, INDENTATION)));
    }
    Ok(line(gojson::indent(&entry.payload()?, INDENTATION)))
}

fn shown_draft(draft: &Draft, verbose: bool) -> Result<Vec<u8>, CommandError> {
    if verbose {
        return Ok(array(draft.entries())?);
    }
    let list = draft.preview().map_err(|error| CommandError::Preview(Box::new(error)))?;
    Ok(line(list.bytes))
}

fn remote(context: &Context, image: &Reference, args: &Inspect) -> Result<Vec<u8>, CommandError> {
    let jobs = context.jobs(args.network.jobs)?;
    let registry = context.registry(&args.network)?;
    registry.announce(image.repository(), Access::Pull);
    let served = |source| CommandError::Served { reference: image.to_string(), source };
    match fetch::manifest(&registry, image)? {
        Found::Image(schema, fetched) if args.verbose => {
            let platform = Platforms::new(&registry).of(image, &fetched.bytes)?;
            let entry = Entry::fetched(image.clone(), schema, fetched.bytes, Some(platform));
            Ok(line(gojson::indent(&entry.encode().map_err(served)?, INDENTATION)))
        }
        Found::Image(_, fetched) => Ok(line(gojson::indent(&fetched.bytes, INDENTATION))),
        Found::List(fetched) => {
            let index = Index::decode(&fetched.bytes).map_err(served)?;
            if args.verbose {
                let entries = children(jobs, &registry, image, &index.manifests)?;
                return array(entries.iter()).map_err(served);
            }
            Ok(line(list::layout(&fetched.bytes).map_err(served)?))
        }
    }
}

/// The images of a remote list, each by its digest and asked for once, however often the list names it; the platform
/// is the list's, so no configuration is needed.
fn children(
    jobs: NonZeroUsize,
    registry: &Registry,
    list: &Reference,
    items: &[Descriptor],
) -> Result<Vec<Entry>, CommandError> {
    let mut places = BTreeMap::new();
    let mut distinct = Vec::new();
    for item in items {
        places.entry(&item.digest).or_insert_with(|| {
            distinct.push(&item.digest);
            distinct.len() - 1
        });
    }
    let child = |digest: &&Digest| match fetch::child(registry, list.repository(), digest)? {
        Found::Image(schema, fetched) => Ok((schema, fetched.bytes)),
        Found::List(_) => Err(CommandError::IsList(list.with_digest(digest).to_string())),
    };
    let fetched = pool::in_order(jobs, &distinct, child).map_err(CommandError::of)?;
    let found = items.iter().filter_map(|item| Some((item, fetched.get(*places.get(&item.digest)?)?)));
    let entry = |(item, (schema, bytes)): (&Descriptor, &(Schema, Vec<u8>))| {
        Entry::fetched(
            list.with_digest(&item.digest),
            *schema,
            bytes.clone(),
            Some(item.platform.clone().unwrap_or_default()),
        )
    };
    Ok(found.map(entry).collect())
}

/// Entries as docker prints an array of them.
fn array<'a>(entries: impl Iterator<Item = &'a Entry>) -> Result<Vec<u8>, DocumentError> {
    let encoded: Vec<Vec<u8>> = entries.map(Entry::encode).collect::<Result<_, _>>()?;
    let joined = [b"[".as_slice(), &encoded.join(&b','), b"]"].concat();
    Ok(line(gojson::indent(&joined, INDENTATION)))
}

fn line(mut text: Vec<u8>) -> Vec<u8> {
    text.push(b'\n');
    text
}
