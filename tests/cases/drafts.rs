//! The drafts that there are: `ls`, `exists`, `prune` and `rm --all`, over our drafts, docker's, and broken ones. See
//! `store-format.md`, "Names that docker mixes" and "What does not belong".

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use testkit::image::Image;
use testkit::image::fixtures::{buildx_image, buildx_index};
use testkit::sandbox::{Output, Sandbox, Tool, on_path, tree_without_root_dot_names};
use testkit::skip::skipped;

use super::OURS;
use super::fixture::Fixture;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// With images, and an index as buildx makes it, to make drafts of.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.registry.put_index("app", "multi", &buildx_index(&["linux/amd64", "linux/arm64/v8"]));
    fixture.registry.put_image("app", "s390x", &buildx_image("linux/s390x"));
    fixture.registry.put_image("app", "docker", &Image::docker().platform("linux", "amd64").layer(b"d").build());
    fixture
}

impl Fixture {
    /// Runs docker itself.
    fn docker(&self, args: &[&str]) -> Output {
        self.sandbox.manifest_command(&Tool::Docker).args(self.registry.expand_names(args)).run().success()
    }

    fn create_draft(&self, list: &str, image: &str) {
        let _ = self.run(&["create", list, image]).success();
    }

    /// A draft with a file in it that is no entry.
    fn create_broken_draft(&self, list: &str) -> PathBuf {
        self.create_draft(&format!("@{list}"), "@app:s390x");
        let file = self.draft_directory(list).join("zzz");
        fs::write(&file, "{").expect("a file in the draft");
        file
    }

    /// Makes all of a draft as old as that, as if nobody had changed it since.
    fn set_age(&self, list: &str, age: Duration) {
        let then = SystemTime::now() - age;
        let (directory, sidecar) = (self.draft_directory(list), self.sidecar(list));
        let entries = fs::read_dir(&directory).expect("the draft").map(|entry| entry.expect("an entry").path());
        for path in entries.chain([directory.clone()]).chain(sidecar.exists().then_some(sidecar)) {
            fs::File::open(&path).and_then(|file| file.set_modified(then)).expect("a time is set");
        }
    }

    /// The names of the drafts.
    fn draft_names(&self) -> Vec<String> {
        self.run(&["ls", "-q"]).out().lines().map(str::to_owned).collect()
    }

    /// The rows of the table, each cut into its cells.
    fn rows(&self) -> Vec<Vec<String>> {
        let shown = self.run(&["ls"]).out();
        let cells =
            |line: &str| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
        shown.lines().skip(1).map(cells).collect()
    }
}

#[test]
fn ls_without_drafts_prints_no_rows() {
    let sandbox = Sandbox::new();
    for (args, shown) in [
        (&["ls"][..], "LIST      ENTRIES   PLATFORMS   AGE       SIZE\n"),
        (&["ls", "-q"], ""),
        (&["ls", "--format", "json"], "[]\n"),
        (&["prune"], "Total reclaimed space: 0B\n"),
        (&["rm", "--all"], ""),
    ] {
        let output = sandbox.command(OURS).args(args.iter().copied()).run().success();
        assert_eq!((output.out().as_str(), output.err().as_str()), (shown, ""), "{args:?}");
    }
    assert!(!sandbox.store().exists(), "who only looks makes nothing");
}

#[test]
fn ls_prints_a_row_for_each_draft() {
    let fixture = fixture();
    fixture.create_draft("@list:b", "@app:multi");
    fixture.create_draft("@list:a", "@app:s390x");
    fixture.set_age("list:a", 3 * DAY);
    fixture.registry.clear_record();
    let shown = fixture.run(&["ls"]).success();
    let header = shown.out().lines().next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(header, ["LIST", "ENTRIES", "PLATFORMS", "AGE", "SIZE"]);
    let rows = fixture.rows();
    let stored = |list: &str| -> u64 {
        let files = fs::read_dir(fixture.draft_directory(list)).expect("the draft");
        files.map(|file| file.expect("a file").metadata().expect("its size").len()).sum()
    };
    // Between 1000 and 9999 bytes, and ten times that.
    let a = format!("{:.2}", stored("list:a") as f64 / 1000.0);
    let size = format!("{}kB", a.trim_end_matches('0').trim_end_matches('.'));
    assert_eq!(rows[0], [&fixture.name("list:a"), "1", "linux/s390x", "3 days ago", &size]);
    // Four entries, two of them attestations, which run nowhere; the order is the list's, by digest.
    assert_eq!(rows[1][..3], [fixture.name("list:b"), "4".into(), "linux/arm64/v8, linux/amd64".into()]);
    assert!(rows[1][3].contains("second"), "{rows:?}");
    assert_eq!(fixture.draft_names(), [fixture.name("list:a"), fixture.name("list:b")]);
    assert!(fixture.registry.requests().is_empty());
}

#[test]
fn ls_json_has_the_members_of_inspect_and_more() {
    let fixture = fixture();
    fixture.create_draft("@list:1", "@app:multi");
    fixture.set_age("list:1", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() - 100 * DAY);
    let printed: Value =
        serde_json::from_slice(&fixture.run(&["ls", "--format", "json"]).success().stdout).expect("JSON");
    let shown = fixture.run(&["inspect", "--format", "json", "@list:1"]).success();
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let row = &printed[0];
    for member in ["reference", "digest", "size", "mediaType", "local", "platforms"] {
        assert_eq!(row[member], shown[member], "{member}");
    }
    assert_eq!((&row["entries"], &row["guessed"]), (&json!(4), &json!(false)));
    let modified = row["modified"].as_str().expect("a time");
    assert!(modified.starts_with("1970-04-1") && modified.ends_with('Z') && modified.len() == 20, "{modified}");
    let directory = fixture.draft_directory("list:1");
    assert_eq!(row["directory"], directory.file_name().unwrap().to_str().unwrap());
    let bytes: u64 = fs::read_dir(directory).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(row["storedBytes"], bytes);
}

#[test]
fn ls_lists_a_broken_draft_and_all_others() {
    let fixture = fixture();
    fixture.create_draft("@list:1", "@app:s390x");
    let file = fixture.create_broken_draft("list:2");
    fixture.create_draft("@list:3", "@app:multi");
    fs::create_dir(fixture.sandbox.store().join("Nobody's")).expect("a directory that no list has");
    let shown = fixture.run(&["ls"]);
    assert_eq!(shown.code, 1);
    let rows = fixture.rows();
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let lists = [1, 2, 3].map(|number| fixture.name(&format!("list:{number}")));
    assert_eq!(names, [lists[0].as_str(), &lists[1], &lists[2], "Nobody's ?"]);
    assert_eq!(rows[1][1..], ["-", "(cannot be read)", "-", "-"]);
    assert_eq!((rows[0][1].as_str(), rows[2][1].as_str()), ("1", "4"));
    let stderr = shown.err();
    assert!(stderr.contains(&format!("invalid manifest file {}", file.display())), "{stderr}");
    assert!(stderr.contains("Nobody's: no image reference maps to this name"), "{stderr}");
    // What is no list has no name that anything could be done with.
    assert_eq!((fixture.run(&["ls", "-q"]).code, fixture.draft_names()), (1, lists.to_vec()));
    let output = fixture.run(&["ls", "--format", "json"]);
    let rows: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(rows[1]["error"].as_str().expect("an error").contains("zzz"), "{rows}");
    assert_eq!((&rows[1]["reference"], &rows[3]["reference"]), (&json!(lists[1]), &Value::Null));
    assert_eq!(rows[2]["entries"], 4);
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!((output.code, &error["error"]["kind"]), (1, &json!("store")));
    assert_eq!(error["error"]["errors"].as_array().map(Vec::len), Some(2));
}

#[test]
fn dockers_drafts_are_listed_under_a_guessed_name() {
    if !on_path("docker") {
        return skipped("docker's drafts in ls", "docker is not on the PATH");
    }
    let fixture = fixture();
    let _ = fixture.docker(&["create", "--insecure", "@app:1", "@app:docker"]);
    let _ = fixture.docker(&["create", "--insecure", "@team_a/app:1", "@app:docker"]);
    fixture.create_draft("@app:2", "@app:docker");
    let rows = fixture.rows();
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    // Of the second docker does not tell whether a `_` was a `/`.
    let (first, second, other) = (fixture.name("app:1 ?"), fixture.name("app:2"), fixture.name("team/a/app:1 ?"));
    assert_eq!(names, [&first, &second, &other]);
    assert!(rows.iter().all(|row| row[1..3] == ["1", "linux/amd64"]), "{rows:?}");
    let printed: Value =
        serde_json::from_slice(&fixture.run(&["ls", "--format", "json"]).success().stdout).expect("JSON");
    let guessed: Vec<&Value> = printed.as_array().unwrap().iter().map(|row| &row["guessed"]).collect();
    assert_eq!(guessed, [&json!(true), &json!(false), &json!(true)]);
    assert_eq!(printed[0]["reference"], fixture.name("app:1"));
    assert_eq!(fixture.run(&["exists", "@app:1"]).code, 0);
    // And they go like ours.
    fixture.set_age("app:1", 40 * DAY);
    let pruned = fixture.run(&["prune"]).success();
    assert!(
        pruned.out().starts_with(&format!("Removed {} (changed 5 weeks ago, ", fixture.name("app:1"))),
        "{}",
        pruned.out()
    );
    let _ = fixture.run(&["rm", "--all"]).success();
    assert_eq!(fixture.draft_names(), [""; 0]);
    let removed = fixture
        .sandbox
        .manifest_command(&Tool::Docker)
        .args(["inspect"])
        .args(fixture.registry.expand_names(&["@app:1"]))
        .run();
    assert_eq!(removed.code, 1);
}

#[test]
fn exists_reports_by_exit_code_only() {
    let fixture = fixture();
    fixture.create_draft("@list:1", "@app:s390x");
    for (list, code) in [("@list:1", 0), ("@list:2", 1), ("@app:s390x", 1)] {
        let output = fixture.run(&["exists", list]);
        assert_eq!((output.code, output.out(), output.err()), (code, String::new(), String::new()), "{list}");
    }
    // The directory is there and holds another list.
    fixture.create_draft("@a_b/list:1", "@app:s390x");
    let other = fixture.run(&["exists", "@a/b/list:1"]);
    assert_eq!((other.code, other.err()), (1, String::new()));
    let file = fixture.create_broken_draft("list:3");
    let broken = fixture.run(&["exists", "@list:3"]);
    assert_eq!((broken.code, broken.out()), (1, String::new()));
    assert!(broken.err().contains(&file.display().to_string()), "{}", broken.err());
    let malformed = fixture.run(&["exists", "UPPER"]);
    assert_eq!(malformed.code, 1);
    assert!(malformed.first_err_line().starts_with("invalid reference format"), "{}", malformed.err());
}

#[test]
fn prune_removes_old_drafts() {
    let fixture = fixture();
    for (list, age) in [("new", 0), ("young", 29), ("old", 31)] {
        fixture.create_draft(&format!("@list:{list}"), "@app:s390x");
        fixture.set_age(&format!("list:{list}"), age * DAY);
    }
    let before = tree_without_root_dot_names(&fixture.sandbox.store());
    let dry_run = fixture.run(&["prune", "--dry-run"]).success().out();
    assert_eq!(tree_without_root_dot_names(&fixture.sandbox.store()), before);
    let pruned = fixture.run(&["prune"]).success();
    let lines: Vec<String> = pruned.out().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("Removed {} (changed 4 weeks ago, ", fixture.name("list:old"))), "{lines:?}");
    let size = lines[0].rsplit([' ', ')']).nth(1).unwrap();
    assert_eq!(lines[1], format!("Total reclaimed space: {size}"));
    assert_eq!(dry_run, pruned.out().replace("Removed", "Would remove").replace("reclaimed", "reclaimable"));
    assert_eq!(
        (pruned.err(), fixture.draft_names()),
        (String::new(), vec![fixture.name("list:new"), fixture.name("list:young")])
    );
    let _ = fixture.run(&["prune", "-f", "--older-than", "2w"]).success();
    assert_eq!(fixture.draft_names(), [fixture.name("list:new")]);
    let _ = fixture.run(&["prune", "--force", "--older-than", "12h"]).success();
    assert_eq!(fixture.draft_names(), [fixture.name("list:new")]);
    let forever = fixture.run(&["prune", "--older-than", "30000000000w"]).success();
    assert_eq!(forever.out(), "Total reclaimed space: 0B\n");
    // A change of any part makes a draft young.
    fixture.set_age("list:new", 31 * DAY);
    let _ = fixture.run(&["annotate", "@list:new", "--annotation", "k=v"]).success();
    let _ = fixture.run(&["prune"]).success();
    assert_eq!(fixture.draft_names(), [fixture.name("list:new")]);
}

#[test]
fn prune_reports_what_it_cannot_remove_and_goes_on() {
    for command in [&["rm", "--all"][..], &["prune", "--older-than", "0"]] {
        let fixture = fixture();
        fixture.create_draft("@list:1", "@app:s390x");
        let file = fixture.create_broken_draft("list:2");
        fixture.create_draft("@list:3", "@app:multi");
        let output = fixture.run(command);
        assert_eq!(output.code, 1, "{command:?}");
        assert!(
            output.err().contains(&format!("{} is no entry of a manifest list", file.display())),
            "{}",
            output.err()
        );
        assert_eq!((fixture.draft_names(), file.exists()), (vec![fixture.name("list:2")], true), "{command:?}");
        if command[0] == "rm" {
            assert_eq!(output.out(), "");
        }
    }
}

#[test]
fn rm_all_removes_every_draft_and_nothing_else() {
    let fixture = fixture();
    fixture.create_draft("@list:1", "@app:s390x");
    fixture.create_draft("@list:2", "@app:multi");
    let config = fixture.sandbox.write_config("{}");
    let removed = fixture.run(&["rm", "--all"]).success();
    assert_eq!((removed.out(), removed.err(), fixture.draft_names()), (String::new(), String::new(), vec![]));
    assert!(config.exists());
    let refused = fixture.run(&["rm", "--all", "@list:1"]);
    assert_eq!(refused.code, 125);
}
