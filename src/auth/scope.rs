//! The `scope` values of the distribution token specification, and sets of them.
//!
//! Tokens are cached by what they cover, so scopes are compared as sets of actions: `repository:a:push,pull` equals
//! `repository:a:pull,push`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a command is going to do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read manifests and blobs.
    Pull,
    /// Read, upload, mount and tag.
    PullPush,
}

/// A set of scopes with at most one entry for each resource, in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scopes(BTreeMap<String, BTreeSet<String>>);

impl Scopes {
    /// The scope of a repository, by its path within its registry.
    pub(crate) fn repository(path: &str, access: Access) -> Scopes {
        let actions: &[&str] = match access {
            Access::Pull => &["pull"],
            Access::PullPush => &["pull", "push"],
        };
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        Scopes(BTreeMap::from([(format!("repository:{path}"), actions)]))
    }

    /// Reads a challenge's `scope` parameter: scopes `TYPE:NAME:ACTION,ACTION`, separated by spaces. Scopes of the same
    /// resource are merged.
    ///
    /// The name may contain colons (a host's port). A text of another form becomes a resource without actions, so that
    /// it is requested as it came.
    pub(crate) fn parse(text: &str) -> Scopes {
        let has_both = |(resource, actions): &(&str, &str)| resource.contains(':') && actions.contains(|c| c != ',');
        let mut scopes = Scopes::default();
        for scope in text.split_whitespace() {
            let (resource, actions) = scope.rsplit_once(':').filter(has_both).unwrap_or((scope, ""));
            let actions = actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned);
            scopes.0.entry(resource.to_owned()).or_default().extend(actions);
        }
        scopes
    }

    /// Adds the actions of the other set to those of each resource.
    pub(crate) fn add(&mut self, other: &Scopes) {
        for (resource, actions) in &other.0 {
            self.0.entry(resource.clone()).or_default().extend(actions.iter().cloned());
        }
    }

    /// The union of both sets.
    pub(crate) fn union(&self, other: &Scopes) -> Scopes {
        let mut both = self.clone();
        both.add(other);
        both
    }

    /// Whether everything in `other` is in this set too. The action `*` stands for every action.
    pub(crate) fn covers(&self, other: &Scopes) -> bool {
        other.0.iter().all(|(resource, wanted)| {
            self.0.get(resource).is_some_and(|held| held.contains("*") || held.is_superset(wanted))
        })
    }

    /// How many resources are in it.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Each resource's scope as a set of its own.
    pub(crate) fn per_resource(&self) -> impl Iterator<Item = Scopes> + '_ {
        self.0.iter().map(|(resource, actions)| Scopes(BTreeMap::from([(resource.clone(), actions.clone())])))
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes as a token server takes them, one string for each resource.
    pub(crate) fn scope_strings(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(resource, actions)| {
            if actions.is_empty() {
                return resource.clone();
            }
            let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
            format!("{resource}:{}", actions.join(","))
        })
    }
}

impl fmt::Display for Scopes {
    /// All scopes in one string, separated by spaces, as the OAuth2 form has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scope_strings().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_one_repository_are_merged_and_sorted() {
        let mut scopes = Scopes::repository("z", Access::Pull);
        scopes.add(&Scopes::repository("a/b", Access::PullPush));
        scopes.add(&Scopes::repository("a/b", Access::Pull));
        assert_eq!(scopes.to_string(), "repository:a/b:pull,push repository:z:pull");
        assert_eq!(scopes, Scopes::parse("  repository:a/b:push,pull repository:z:pull "));
    }

    #[test]
    fn scopes_cover_their_own_actions_only() {
        let push = Scopes::repository("a", Access::PullPush);
        let pull = Scopes::repository("a", Access::Pull);
        let other = Scopes::repository("b", Access::Pull);
        assert!(push.covers(&pull));
        assert!(!pull.covers(&push));
        assert!(!push.covers(&other));
        assert!(push.union(&other).covers(&other));
        assert!(Scopes::parse("repository:a:*").covers(&push));
        assert!(pull.covers(&Scopes::default()));
    }

    #[test]
    fn scope_names_may_contain_colons_and_unknown_forms_are_kept() {
        assert!(Scopes::parse("repository:h:5000/a:pull").0.contains_key("repository:h:5000/a"));
        assert_eq!(Scopes::parse("registry:catalog:* aws x:y").to_string(), "aws registry:catalog:* x:y");
        assert!(Scopes::parse("").is_empty());
    }
}
