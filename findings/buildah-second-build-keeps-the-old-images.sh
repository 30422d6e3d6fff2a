#!/usr/bin/env bash
# buildah 1.28.2 (Debian): a second `buildah build --manifest NAME` adds to the list; the old images stay in front.
#
# Observed on 2026-11-27. The first build makes a list of two images. After a change of the source the same command adds
# two more: the list has two images for each platform. The old one comes first, and a client takes the first that fits.
#
# What it means: where the build host keeps its storage (a CI runner with a cache), the pushed list serves the images of
# the first build, without a warning. Remove the list before the build: `buildah manifest rm NAME`.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
registry_pid=
trap 'if [ "$registry_pid" ]; then kill "$registry_pid" || true; wait "$registry_pid" || true; fi; rm -rf "$work"' EXIT

debian() { # downloads packages (name=version) and unpacks them below $work/root
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$@")
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; rm "$package"; done
}

start_registry() { # on a port that the system chooses; sets $registry
  printf '%s\n' 'version: 0.1' 'log: {level: info}' 'http: {addr: "127.0.0.1:0"}' \
    "storage: {filesystem: {rootdirectory: $work/data}, delete: {enabled: true}}" >"$work/registry.yml"
  "$work/root/usr/bin/docker-registry" serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  registry_pid=$!
  for _ in $(seq 100); do
    registry=$(sed -n 's/.*msg="listening on \([0-9.:]*\)".*/\1/p' "$work/registry.log")
    if [ -n "$registry" ]; then return; fi
    sleep 0.1
  done
  cat "$work/registry.log" >&2
  exit 1
}

debian buildah=1.28.2+ds1-3+deb12u1+b3 skopeo=1.9.3+ds1-1+b10 docker-registry=2.8.2+ds1-1 \
  libgpgme11=1.18.0-3+deb12u1 libassuan0=2.5.5-5
start_registry
export HOME=$work PATH=$work/root/usr/bin:$PATH LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu
mkdir -p "$work/.config/containers" "$work/source"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/.config/containers/policy.json"
printf 'FROM scratch\nCOPY version /version\n' >"$work/source/Containerfile"

buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
build() { # $1: the list, $2: the text of the file in the image
  echo "$2" >"$work/source/version"
  buildah build --isolation chroot --platform linux/amd64,linux/arm64 --manifest "$1" "$work/source" >"$work/log" 2>&1
  buildah manifest push -q --all --tls-verify=false "$1" "docker://$registry/team/app:$1" >>"$work/log" 2>&1
}
platforms() {
  skopeo inspect --raw --tls-verify=false "docker://$registry/team/app:$1" |
    python3 -c 'import json, sys
print(*sorted(entry["platform"]["architecture"] for entry in json.load(sys.stdin)["manifests"]))'
}
pulled() { # what a linux/arm64 machine finds in the image
  rm -rf "$work/pulled"
  skopeo copy -q --override-arch arm64 --src-tls-verify=false "docker://$registry/team/app:$1" "dir:$work/pulled"
  layer=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["layers"][0]["digest"][7:])' \
    "$work/pulled/manifest.json")
  tar -xzOf "$work/pulled/$layer" version
}

buildah --version
for version in 1 2; do
  build same "version $version"
  echo "build $version of list 'same': $(platforms same); linux/arm64 pulls: $(pulled same)"
done | tee "$work/output"
for version in 1 2; do
  buildah manifest rm fresh >/dev/null 2>&1 || true
  build fresh "version $version"
  echo "build $version of list 'fresh', removed before: $(platforms fresh); linux/arm64 pulls: $(pulled fresh)"
done | tee -a "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what the second build publishes"
build 1 of list 'same': amd64 arm64; linux/arm64 pulls: version 1
build 2 of list 'same': amd64 amd64 arm64 arm64; linux/arm64 pulls: version 1
build 1 of list 'fresh', removed before: amd64 arm64; linux/arm64 pulls: version 1
build 2 of list 'fresh', removed before: amd64 arm64; linux/arm64 pulls: version 2
EXPECTED
