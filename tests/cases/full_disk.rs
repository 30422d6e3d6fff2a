//! Drafts on a full disk: what frees room still works. See `store-format.md`, "Writes". The disk is mounted in a mount
//! namespace of one shell, which needs root.

use super::fixture::Fixture;

#[test]
fn removals_work_on_a_full_disk() {
    let Some(fixture) = Fixture::new_or_skip("removals on a full disk") else { return };
    let output = fixture.run_in_namespace(
        r#"
        mount -t tmpfs -o size=1m disk "$DISK"
        export DOCKER_CONFIG="$DISK"
        for tag in 1 2 3 4; do
            "$OURS" create "$AT/list:$tag" "$AT/app:amd64" "$AT/app:arm64" >&2
        done
        rm -r "$DISK"/manifests/.docker-manifest/staging
        dd if=/dev/zero of="$DISK/full" bs=4096 2>/dev/null || true
        ! echo x >"$DISK/more"
        ! "$OURS" annotate "$AT/list:1" "$AT/app:arm64" --variant v8
        "$OURS" rm "$AT/list:1"
        dd if=/dev/zero of="$DISK/full" bs=4096 2>/dev/null || true
        "$OURS" push --purge "$AT/list:2" >&2
        dd if=/dev/zero of="$DISK/full" bs=4096 2>/dev/null || true
        "$OURS" prune --older-than 0s >&2
        "$OURS" ls --quiet
        "#,
    );
    assert_eq!((output.code, output.out().as_str()), (0, ""), "{}", output.err());
}
