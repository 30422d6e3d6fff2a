//! The run of an entry: one execution of a pipeline. The variables of the CI system identify it.

use crate::env::Env;

/// The variable that names a run for all commands.
const RUN_VARIABLE: &str = "DOCKER_MANIFEST_RUN";

/// The variable in which GitHub counts the attempts of a run.
const ATTEMPT_VARIABLE: &str = "GITHUB_RUN_ATTEMPT";

/// The maximum length of a run id, in bytes.
const RUN_ID_BYTES_MAX: usize = 256;

/// CI systems, with the variables that together identify a run: all jobs of the run have the same values, and no other
/// run has them.
const CI_SYSTEMS: [(&str, &[&str]); 11] = [
    ("github", &["GITHUB_REPOSITORY_ID", "GITHUB_RUN_ID"]),
    ("gitlab", &["CI_PIPELINE_ID"]),
    ("circleci", &["CIRCLE_WORKFLOW_WORKSPACE_ID"]),
    ("buildkite", &["BUILDKITE_BUILD_ID"]),
    ("jenkins", &["BUILD_TAG"]),
    ("woodpecker", &["CI_REPO", "CI_PIPELINE_NUMBER"]),
    ("drone", &["DRONE_REPO", "DRONE_BUILD_NUMBER"]),
    ("azure", &["BUILD_BUILDID"]),
    ("bitbucket", &["BITBUCKET_BUILD_NUMBER"]),
    ("travis", &["TRAVIS_BUILD_ID"]),
    ("semaphore", &["SEMAPHORE_WORKFLOW_ID"]),
];

/// One execution of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineRun {
    /// Its id; `None` outside CI. All commands without a run share one name space.
    pub id: Option<String>,
    /// The number of the attempt, from 1; `None` if the CI system does not count attempts.
    pub attempt: Option<u64>,
}

impl PipelineRun {
    /// The run of this process: that of `explicit_id`, else that of `DOCKER_MANIFEST_RUN`, else that of the CI system.
    ///
    /// # Errors
    /// An id that is empty, has control characters, or has more than 256 bytes.
    pub fn from_env(explicit_id: Option<&str>, env: &Env) -> Result<PipelineRun, InvalidRunId> {
        let attempt = env.get(ATTEMPT_VARIABLE).and_then(|attempt| attempt.parse().ok());
        let from_env = || env.get(RUN_VARIABLE).map(|id| (Some(RUN_VARIABLE), id.to_owned()));
        let from_ci = || ci_run_id(env).map(|id| (None, id));
        let found = explicit_id.map(|id| (None, id.to_owned())).or_else(from_env).or_else(from_ci);
        let Some((variable, id)) = found else { return Ok(PipelineRun { id: None, attempt }) };
        match check_run_id(&id) {
            Ok(()) => Ok(PipelineRun { id: Some(id), attempt }),
            Err(reason) => Err(InvalidRunId { variable, id, reason }),
        }
    }
}

/// A run id that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run id {id:?} cannot be used: it is {reason}")]
pub struct InvalidRunId {
    /// The variable that has it; `None` if it was given on the command line or joined from several variables.
    pub variable: Option<&'static str>,
    /// The id.
    pub id: String,
    /// What is invalid with it.
    pub reason: &'static str,
}

/// Checks a run id.
///
/// # Errors
/// What is invalid with it, as a message for the user.
pub fn check_run_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty() {
        return Err("empty");
    }
    if id.len() > RUN_ID_BYTES_MAX {
        return Err("longer than 256 bytes");
    }
    if !id.chars().all(crate::sanitize::is_printable) {
        return Err("not a text that can be shown");
    }
    Ok(())
}

/// The run of the first CI system all of whose variables are set.
fn ci_run_id(env: &Env) -> Option<String> {
    CI_SYSTEMS.iter().find_map(|(system, variables)| {
        let values: Option<Vec<&str>> = variables.iter().map(|name| env.get(name)).collect();
        values.map(|values| format!("{system}:{}", values.join(":")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(explicit_id: Option<&str>, pairs: &[(&str, &str)]) -> Result<PipelineRun, InvalidRunId> {
        PipelineRun::from_env(explicit_id, &Env::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn run_id_comes_from_the_variables_of_each_ci_system() {
        let cases: [(&[(&str, &str)], &str); 11] = [
            (
                &[("GITHUB_REPOSITORY_ID", "601234567"), ("GITHUB_RUN_ID", "16412345678")],
                "github:601234567:16412345678",
            ),
            (&[("CI_PIPELINE_ID", "7")], "gitlab:7"),
            (&[("CIRCLE_WORKFLOW_WORKSPACE_ID", "w"), ("CIRCLE_WORKFLOW_ID", "x")], "circleci:w"),
            (&[("BUILDKITE_BUILD_ID", "b")], "buildkite:b"),
            (&[("BUILD_TAG", "jenkins-app-7")], "jenkins:jenkins-app-7"),
            (&[("CI_REPO", "me/app"), ("CI_PIPELINE_NUMBER", "7")], "woodpecker:me/app:7"),
            (&[("DRONE_REPO", "me/app"), ("DRONE_BUILD_NUMBER", "7")], "drone:me/app:7"),
            (&[("BUILD_BUILDID", "7")], "azure:7"),
            (&[("BITBUCKET_BUILD_NUMBER", "7")], "bitbucket:7"),
            (&[("TRAVIS_BUILD_ID", "7")], "travis:7"),
            (&[("SEMAPHORE_WORKFLOW_ID", "7")], "semaphore:7"),
        ];
        for (pairs, id) in cases {
            assert_eq!(run(None, pairs).unwrap(), PipelineRun { id: Some(id.into()), attempt: None });
            let first = [pairs, &[("GITHUB_RUN_ATTEMPT", "2")]].concat();
            assert_eq!(run(None, &first).unwrap().attempt, Some(2));
        }
        // All variables of a system must be set, and an empty variable counts as not set.
        assert_eq!(run(None, &[("GITHUB_RUN_ID", "1")]).unwrap(), PipelineRun::default());
        assert_eq!(run(None, &[("CI_PIPELINE_ID", "")]).unwrap(), PipelineRun::default());
    }

    #[test]
    fn explicit_run_id_precedes_those_of_the_environment() {
        let pairs = [("CI_PIPELINE_ID", "7"), ("DOCKER_MANIFEST_RUN", "mine")];
        assert_eq!(run(None, &pairs).unwrap().id.as_deref(), Some("mine"));
        assert_eq!(run(Some("typed"), &pairs).unwrap().id.as_deref(), Some("typed"));
    }

    #[test]
    fn run_id_must_be_printable_text() {
        let long = "x".repeat(257);
        for invalid in ["", "a\nb", "\u{202e}x", &long] {
            assert!(run(Some(invalid), &[]).is_err(), "{invalid:?}");
        }
        let error = run(None, &[("DOCKER_MANIFEST_RUN", "a\tb")]).unwrap_err();
        assert_eq!(error.variable, Some("DOCKER_MANIFEST_RUN"));
    }
}
