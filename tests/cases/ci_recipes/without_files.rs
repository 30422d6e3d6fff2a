//! The recipes without files between jobs: each job on a machine of its own, with the variables that its CI system
//! sets.

use testkit::sandbox::{Output, Sandbox, write_script};

use super::{Fixture, commands_in, page, sections, shell};

/// Where they are on the page.
pub(super) const SECTION: &str = "Without files between jobs";

const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// A recipe, and what its CI system sets in each job of a run.
struct Recipe {
    system: &'static str,
    variables: &'static [(&'static str, &'static str)],
    /// The tag that they make the list have.
    tag: &'static str,
}

/// All recipes with a job that publishes.
const RECIPES: [Recipe; 6] = [
    Recipe { system: "GitLab", variables: &[("CI_PIPELINE_ID", "7"), ("CI_COMMIT_TAG", "gitlab")], tag: "gitlab" },
    Recipe { system: "Jenkins", variables: &[("BUILD_TAG", "jenkins-app-41"), ("BUILD_NUMBER", "41")], tag: "41" },
    Recipe { system: "Buildkite", variables: &[("BUILDKITE_BUILD_ID", "b-7"), ("BUILDKITE_TAG", "kite")], tag: "kite" },
    Recipe {
        system: "CircleCI",
        variables: &[("CIRCLE_WORKFLOW_WORKSPACE_ID", "w-7"), ("CIRCLE_TAG", "circle")],
        tag: "circle",
    },
    Recipe {
        system: "Woodpecker",
        variables: &[("CI_REPO", "me/app"), ("CI_PIPELINE_NUMBER", "7"), ("CI_COMMIT_TAG", "wood")],
        tag: "wood",
    },
    Recipe { system: "Tekton", variables: &[], tag: "tekton" },
];

/// The command lines of a recipe with this verb.
fn recipe_commands(fixture: &Fixture, system: &str, command: &str) -> Vec<String> {
    let page = page();
    let sections = sections(&page);
    let (_, section) = sections.iter().find(|(heading, _)| *heading == SECTION).expect("the section");
    let parts = section.split("\n### ").skip(1).filter_map(|part| part.split_once('\n'));
    let (_, text) = parts.clone().find(|(heading, _)| *heading == system).expect("the recipe");
    assert_eq!(parts.count(), RECIPES.len() + 1, "each recipe is run here");
    // What the system itself fills in.
    let filled = text.replace("{{matrix}}", "$ARCH").replace("<< parameters.arch >>", "$ARCH");
    let mut lines = commands_in(&filled, &fixture.registry.host());
    lines.retain(|line| line.starts_with(&format!("docker-manifest {command} --shared ")));
    assert_eq!(lines.len(), 1, "{system} {command}: {lines:?}");
    lines
}

/// A job with a home, a directory and variables of its own.
fn job(fixture: &Fixture, recipe: &Recipe, command: &str, leg: Option<usize>) -> Output {
    let sandbox = Sandbox::new();
    let mut variables: Vec<(&str, String)> =
        recipe.variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    variables.push(("CI_REGISTRY_IMAGE", fixture.registry.name("app")));
    // Tekton fills parameters into the script before a shell sees it; here the shell runs a command of that name.
    let mut params = vec![("run", "uid-7".to_owned()), ("tag", "tekton".to_owned())];
    if let Some(leg) = leg {
        let digest = fixture.images[leg].digest();
        sandbox.write(format!("d-{}", ARCHITECTURES[leg]), &digest);
        variables.push(("ARCH", ARCHITECTURES[leg].to_owned()));
        variables.push(("DIGEST", digest.clone()));
        params.push(("digest", digest));
    }
    for (name, value) in params {
        write_script(&sandbox.path().join(format!("params.{name}")), &format!("#!/bin/sh\necho {value}\n"));
    }
    shell(&sandbox, &recipe_commands(fixture, recipe.system, command), &variables)
}

fn count_entries(fixture: &Fixture) -> usize {
    fixture.registry.tags("app").iter().filter(|tag| tag.starts_with("draft.")).count()
}

#[test]
fn recipes_with_a_publishing_job_work() {
    let fixture = Fixture::new();
    for recipe in &RECIPES {
        let _ = job(&fixture, recipe, "add", Some(1)).success();
        let early = job(&fixture, recipe, "push", None);
        let reason = format!("app:{} is incomplete: linux/amd64 is missing", recipe.tag);
        assert_eq!((early.code, early.err().contains(&reason)), (3, true), "{}: {}", recipe.system, early.err());
        assert!(fixture.registry.manifest("app", recipe.tag).is_none());
        let added = job(&fixture, recipe, "add", Some(0)).success();
        assert!(!added.err().contains("no CI system"), "{}: {}", recipe.system, added.err());
        assert_eq!(count_entries(&fixture), 2, "{}", recipe.system);
        let _ = job(&fixture, recipe, "push", None).success();
        fixture.assert_serves(recipe.tag, &fixture.digests());
        assert_eq!(count_entries(&fixture), 0, "{}", recipe.system);
    }
}

/// Both legs at once, as they run there; whichever is last publishes, and a leg that runs again does no harm.
#[test]
fn the_github_actions_recipe_without_a_merge_job_works() {
    let fixture = Fixture::new();
    let attempt = |number| Recipe {
        system: "GitHub Actions",
        variables: match number {
            1 => &[("GITHUB_REPOSITORY_ID", "6"), ("GITHUB_RUN_ID", "16"), ("GITHUB_RUN_ATTEMPT", "1")],
            _ => &[("GITHUB_REPOSITORY_ID", "6"), ("GITHUB_RUN_ID", "16"), ("GITHUB_RUN_ATTEMPT", "2")],
        },
        tag: "1.2.3",
    };
    let first = attempt(1);
    std::thread::scope(|scope| {
        let legs = [0, 1].map(|leg| {
            scope.spawn({
                let (fixture, first) = (&fixture, &first);
                move || job(fixture, first, "add", Some(leg)).success()
            })
        });
        let outputs = legs.map(|leg| leg.join().expect("the leg ends").out());
        let published = fixture.registry.manifest("app", "1.2.3").map(|(_, bytes)| testkit::image::sha256(&bytes));
        let published = format!("{}\n", published.expect("the list"));
        assert!(outputs.iter().any(|outputs| outputs.ends_with(&published)), "{outputs:?}");
    });
    for tag in ["1.2.3", "1.2", "latest"] {
        fixture.assert_serves(tag, &fixture.digests());
    }
    let before = fixture.registry.manifest("app", "1.2.3");
    let _ = job(&fixture, &attempt(2), "add", Some(1)).success();
    assert_eq!(fixture.registry.manifest("app", "1.2.3"), before);
}
