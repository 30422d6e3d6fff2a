//! Which requests a fault applies to.

use std::sync::Mutex;

use super::faults::Fault;
use super::http::Head;
use super::lock;
use super::random_faults::RandomFaults;

/// When a fault applies: to which requests, and to which of those.
#[derive(Clone, Debug)]
pub struct Rule {
    method: Option<String>,
    target_contains: String,
    authorized: bool,
    first: usize,
    last: usize,
}

impl Rule {
    /// Requests of this method (`*` for all) whose path and query contain the text; every one of them, unless
    /// narrowed by the calls below.
    pub fn on(method: &str, target_contains: &str) -> Rule {
        let method = (method != "*").then(|| method.to_owned());
        Rule { method, target_contains: target_contains.into(), authorized: false, first: 1, last: usize::MAX }
    }

    /// Every request.
    pub fn any() -> Rule {
        Rule::on("*", "")
    }

    /// Requests to the registry's own token endpoint, wherever it listens.
    pub fn tokens() -> Rule {
        Rule::on("*", "/token")
    }

    /// Only the n-th that matches, counted from 1.
    pub fn nth(mut self, n: usize) -> Rule {
        (self.first, self.last) = (n, n);
        self
    }

    /// The first n that match.
    pub fn first_n(mut self, n: usize) -> Rule {
        (self.first, self.last) = (1, n);
        self
    }

    /// All that match, which is also the default.
    pub fn always(mut self) -> Rule {
        (self.first, self.last) = (1, usize::MAX);
        self
    }

    /// The n-th that matches and all after it.
    pub fn from(mut self, n: usize) -> Rule {
        (self.first, self.last) = (n, usize::MAX);
        self
    }

    /// Only those that bear an `Authorization` header match.
    pub fn authorized(mut self) -> Rule {
        self.authorized = true;
        self
    }

    fn matches(&self, head: &Head) -> bool {
        self.method.as_ref().is_none_or(|method| *method == head.method)
            && head.target.contains(&self.target_contains)
            && (!self.authorized || head.header("Authorization").is_some())
    }
}

struct Scripted {
    rule: Rule,
    fault: Fault,
    matched: usize,
}

#[derive(Default)]
struct Plan {
    scripted: Vec<Scripted>,
    random_faults: Option<RandomFaults>,
    requests: usize,
    injected: Vec<(usize, Fault)>,
}

/// The rules in force, how often each has matched, and the faults applied so far.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Plan>);

impl Faults {
    pub(crate) fn add(&self, rule: Rule, fault: Fault) {
        lock(&self.0).scripted.push(Scripted { rule, fault, matched: 0 });
    }

    pub(crate) fn inject_randomly(&self, random_faults: RandomFaults) {
        let mut plan = lock(&self.0);
        (plan.random_faults, plan.requests) = (Some(random_faults), 0);
    }

    pub(crate) fn clear(&self) {
        *lock(&self.0) = Plan::default();
    }

    /// The seed of the random faults, if there are any.
    pub(crate) fn seed(&self) -> Option<u64> {
        lock(&self.0).random_faults.as_ref().map(RandomFaults::seed)
    }

    /// The faults applied since they were last cleared, with the number of the request since then.
    pub(crate) fn injected(&self) -> Vec<(usize, Fault)> {
        lock(&self.0).injected.clone()
    }

    /// The fault of the first rule that applies, or else the random fault of this request. Every rule counts what it
    /// matches, applied or not.
    pub(crate) fn pick(&self, head: &Head) -> Option<Fault> {
        let mut plan = lock(&self.0);
        plan.requests += 1;
        let number = plan.requests;
        let mut picked = None;
        for scripted in plan.scripted.iter_mut().filter(|scripted| scripted.rule.matches(head)) {
            scripted.matched += 1;
            let applies = (scripted.rule.first..=scripted.rule.last).contains(&scripted.matched);
            if applies && picked.is_none() {
                picked = Some(scripted.fault.clone());
            }
        }
        let picked =
            picked.or_else(|| plan.random_faults.as_ref().and_then(|random_faults| random_faults.fault_for(number)));
        plan.injected.extend(picked.clone().map(|fault| (number, fault)));
        picked
    }
}
