//! Drafts on overlayfs, the root file system of every container. See `store-format.md`, "The mark" and "Writes".
//! Everything is mounted in a mount namespace of one shell, which needs root.

use serde_json::Value;
use testkit::sandbox::{Output, on_path};
use testkit::skip::{skipped, skipped_unsupported};

use super::OURS;
use super::fixture::Fixture;

/// The drafts of the lower layer.
const LOWER_DRAFTS: &str = r#"
    export DOCKER_CONFIG="$LOWER"
    for tag in 1 2 3 4 5; do
        "$OURS" create "$AT/list:$tag" "$AT/app:amd64" "$AT/app:arm64" >&2
        "$OURS" annotate "$AT/list:$tag" --annotation own=kept
    done
"#;

/// A draft of a lower layer, seen through overlayfs as the next step of a container build sees it.
const OVERLAY: &str = r#"
    mount -t tmpfs disk "$DISK"
    cd "$DISK"
    mkdir upper work merged
    mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=upper,workdir=work" merged
    export DOCKER_CONFIG="$DISK/merged"
    STORE="$DISK/merged/manifests"
"#;

impl Fixture {
    /// With two images, and a home whose `disk` is mounted by each shell for itself. `None`, said loudly, where nothing
    /// can be mounted.
    pub(super) fn new_or_skip(check: &str) -> Option<Fixture> {
        let fixture = Fixture::new().with_images("app", &["amd64", "arm64"]);
        std::fs::create_dir(fixture.sandbox.path().join("disk")).expect("a directory");
        let probe = fixture.run_in_namespace(
            "mount -t tmpfs disk \"$DISK\"; cd \"$DISK\"; mkdir l u w m; \
             mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m",
        );
        if probe.code != 0 {
            skipped_unsupported(
                check,
                &format!("only root can mount, in a namespace of its own: {}", probe.first_err_line()),
            );
            return None;
        }
        Some(fixture)
    }

    /// With five drafts in `lower`.
    fn with_lower_layer(check: &str) -> Option<Fixture> {
        let fixture = Fixture::new_or_skip(check)?;
        std::fs::create_dir(fixture.sandbox.path().join("lower")).expect("a directory");
        let created = fixture.run_in_namespace(LOWER_DRAFTS);
        assert_eq!(created.code, 0, "{}", created.err());
        Some(fixture)
    }

    /// Runs a script that ends at its first failure, in a mount namespace of its own.
    pub(super) fn run_in_namespace(&self, script: &str) -> Output {
        let run = self.sandbox.command("unshare").args(["--mount", "--propagation", "private", "sh", "-euc", script]);
        let disk = self.sandbox.path().join("disk").display().to_string();
        let lower = self.sandbox.path().join("lower").display().to_string();
        run.env("DISK", disk).env("LOWER", lower).env("OURS", OURS).env("AT", self.registry.host()).run()
    }

    fn run_on_overlay(&self, script: &str) -> Output {
        self.run_in_namespace(&format!("{OVERLAY}\n{script}"))
    }
}

#[test]
fn a_draft_of_a_lower_layer_can_be_changed_pushed_and_removed() {
    let Some(fixture) = Fixture::with_lower_layer("drafts on overlayfs") else { return };
    let output = fixture.run_on_overlay(
        r#"
        "$OURS" annotate "$AT/list:1" "$AT/app:arm64" --annotation image=x
        "$OURS" annotate "$AT/list:1" --annotation more=kept
        "$OURS" push "$AT/list:1" >&2
        "$OURS" push --purge "$AT/list:2" >&2
        "$OURS" rm "$AT/list:3"
        "$OURS" ls --quiet
        "$OURS" prune --older-than 0s >&2
        ls -A "$STORE" "$STORE/.docker-manifest/staging" "$STORE/.docker-manifest/lists"
        "#,
    );
    assert_eq!(output.code, 0, "{}", output.err());
    let host = fixture.registry.host();
    let remaining: Vec<String> = ["1", "4", "5"].map(|tag| format!("{host}/list:{tag}\n")).into();
    let text = output.out();
    let rest = text.strip_prefix(&remaining.concat()).unwrap_or_else(|| panic!("{text}"));
    let names: Vec<&str> = rest.lines().filter(|line| !line.is_empty() && !line.ends_with(':')).collect();
    assert_eq!(names, [".docker-manifest"], "nothing is left: {rest}");
    for (tag, annotations) in
        [("1", serde_json::json!({"own": "kept", "more": "kept"})), ("2", serde_json::json!({"own": "kept"}))]
    {
        let (_, bytes) = fixture.registry.manifest("list", tag).expect("it was pushed");
        let served: Value = serde_json::from_slice(&bytes).expect("a list");
        assert_eq!(served["annotations"], annotations);
    }
}

/// A removal that is killed before any of its renames leaves a draft with whole entries, and the same command again
/// completes it.
#[test]
fn a_removal_in_a_lower_layer_that_is_killed_leaves_whole_entries() {
    let check = "kills of a removal on overlayfs";
    let Some(fixture) = Fixture::with_lower_layer(check) else { return };
    if !on_path("strace") {
        return skipped(check, "strace is not on the PATH");
    }
    let mut kills = 0;
    for count in 1..=9 {
        for call in ["rename", "unlink,unlinkat,rmdir", "fsync"] {
            let output = fixture.run_on_overlay(&format!(
                r#"
                strace -qq -o /dev/null -f -e trace={call} -P "$STORE" -P "$STORE"/*list-3 -P "$STORE"/*list-3/*amd64 \
                    -P "$STORE"/*list-3/*arm64 -e "inject={call}:signal=KILL:when={count}" \
                    "$OURS" rm "$AT/list:3" || echo killed
                if "$OURS" exists "$AT/list:3"; then
                    "$OURS" inspect -v "$AT/list:3" >/dev/null
                    "$OURS" inspect --local --format json "$AT/list:3" | grep -q '"own": *"kept"' ||
                        test -z "$(ls "$STORE"/*list-3)"
                    "$OURS" rm "$AT/list:3"
                fi
                "$OURS" exists "$AT/list:3" && exit 9
                "$OURS" exists "$AT/list:4"
                "#
            ));
            assert_eq!(output.code, 0, "{call} {count}: {}", output.err());
            kills += usize::from(output.out().contains("killed"));
        }
    }
    assert!(kills >= 5, "{kills}");
}

/// Docker removes what it put there; what it removed and made anew is not taken for the old draft.
#[test]
fn docker_and_ours_share_a_draft_of_a_lower_layer() {
    let check = "docker and ours on overlayfs";
    let Some(fixture) = Fixture::with_lower_layer(check) else { return };
    if !on_path("docker") {
        return skipped(check, "docker is not on the PATH");
    }
    let output = fixture.run_on_overlay(
        r#"
        docker manifest annotate "$AT/list:1" "$AT/app:arm64" --variant v8
        "$OURS" push "$AT/list:1" >&2
        docker manifest rm "$AT/list:2"
        docker manifest create --insecure "$AT/list:2" "$AT/app:amd64" >&2
        "$OURS" inspect "$AT/list:2" >/dev/null
        "$OURS" push "$AT/list:2" && exit 9
        "$OURS" create --replace "$AT/list:2" "$AT/app:amd64" >&2
        "$OURS" push "$AT/list:2" >&2
        "#,
    );
    assert_eq!(output.code, 0, "{}", output.err());
    let served = |tag: &str| -> Value {
        serde_json::from_slice(&fixture.registry.manifest("list", tag).expect("pushed").1).expect("a list")
    };
    assert_eq!(served("1")["annotations"], serde_json::json!({"own": "kept"}));
    assert_eq!(served("2").get("annotations"), None);
    let doubts: Vec<String> =
        output.err().lines().filter(|line| line.contains("says more of manifest list")).map(str::to_owned).collect();
    assert!(doubts.len() == 2 && doubts[0].starts_with("warning: "), "{}", output.err());
}
