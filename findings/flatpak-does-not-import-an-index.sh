#!/usr/bin/env bash
# flatpak 1.14.10 (Debian): a layout whose only entry is an index has "Multiple images", and its name is not found.
#
# Observed on 2026-11-27. `flatpak build-bundle --oci` puts the images of several architectures side by side into one
# OCI layout, each under its own ref. When an index of these images is the layout's only entry (what other tools write
# for a multi-platform tag), `flatpak build-import-bundle --oci` fails with "Multiple images in registry, specify a ref
# with --ref"; with --ref and the entry's name it fails with "Ref 'latest' not found in registry".
#
# What it means: publish Flatpaks as single images, one tag for each architecture; --ref does not choose from an index.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The packages that are missing on this machine are only downloaded and unpacked below $work/root.
mkdir -p "$work/debs/partial"
apt-get -qq install --download-only --reinstall --no-install-recommends -o APT::Sandbox::User=root \
  -o Debug::NoLocking=1 -o Dir::Cache::archives="$work/debs" flatpak=1.14.10-1~deb12u2 >"$work/apt.log"
for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done
export HOME=$work LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu PATH=$work/root/usr/bin:$PATH

mkdir -p "$work/app/files" "$work/app/export"
printf '[Application]\nname=org.example.App\nruntime=org.example.Platform/x86_64/1\n' >"$work/app/metadata"
echo hello >"$work/app/files/hello"
for arch in x86_64 aarch64; do
  flatpak build-export --disable-sandbox --arch=$arch "$work/repo" "$work/app" master >/dev/null
  flatpak build-bundle --oci --arch=$arch "$work/repo" "$work/layout" org.example.App master
done

cat >"$work/index.py" <<'PYTHON'
import hashlib, json, sys

INDEX = 'application/vnd.oci.image.index.v1+json'
layout = sys.argv[1]
index = json.load(open(layout + '/index.json'))
for entry in index['manifests']:
    arch = entry['annotations']['org.opencontainers.image.ref.name'].split('/')[2]
    entry['platform'] = {'os': 'linux', 'architecture': {'x86_64': 'amd64', 'aarch64': 'arm64'}[arch]}
data = json.dumps(index).encode()
digest = hashlib.sha256(data).hexdigest()
open(f'{layout}/blobs/sha256/{digest}', 'wb').write(data)
entry = {'mediaType': INDEX, 'digest': 'sha256:' + digest, 'size': len(data),
         'annotations': {'org.opencontainers.image.ref.name': 'latest'}}
json.dump({'schemaVersion': 2, 'mediaType': INDEX, 'manifests': [entry]}, open(layout + '/index.json', 'w'))
PYTHON
cp -r "$work/layout" "$work/indexed"
python3 "$work/index.py" "$work/indexed"

import() { # the layout $1 with the flags that follow; commit digests are cut off
  flatpak build-import-bundle --oci "${@:2}" "$work/repo" "$work/$1" 2>&1 | sed 's/ ([0-9a-f]*)$//' || true
}
flatpak --version
{
  echo "control, images side by side, --ref: $(import layout --ref=app/org.example.App/aarch64/master)"
  echo "images side by side, no --ref: $(import layout)"
  echo "one index, no --ref: $(import indexed)"
  echo "one index, --ref=latest: $(import indexed --ref=latest)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what can be imported"
control, images side by side, --ref: Importing app/org.example.App/aarch64/master
images side by side, no --ref: error: Multiple images in registry, specify a ref with --ref
one index, no --ref: error: Multiple images in registry, specify a ref with --ref
one index, --ref=latest: error: Ref 'latest' not found in registry
EXPECTED
