#!/usr/bin/env bash
# udocker 1.3.17 (PyPI): an index entry without a platform makes every entry after it invisible.
#
# Observed on 2026-11-27. A platform is optional in an index. `udocker pull` stops at the first entry that has none and
# says "no image found in manifest for platform", although a fitting image follows. With the same entry at the end the
# pull works. The same happens to linux/arm64/v8 behind an entry linux/arm64 without a variant.
#
# What it means: put entries without a platform (signatures, attached files) last, and do not list linux/arm64 twice,
# with and without its variant.
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

debian docker-registry=2.8.2+ds1-1
start_registry
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q udocker==1.3.17
export HOME=$work UDOCKER_DIR=$work/udocker
mkdir -p "$UDOCKER_DIR/lib"
echo 1.2.11 >"$UDOCKER_DIR/lib/VERSION" # so that it does not look for its run-time tools on the internet

cat >"$work/publish.py" <<'PYTHON'
import gzip, hashlib, io, json, sys, tarfile, urllib.request

def digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()

def send(method, url, data, kind='application/octet-stream'):
    return urllib.request.urlopen(urllib.request.Request(url, data, {'Content-Type': kind}, method=method)).headers

def blob(kind, data):
    session = send('POST', repository + '/blobs/uploads/', b'')['Location']
    send('PUT', session + '&digest=' + digest(data), data)
    return {'mediaType': kind, 'digest': digest(data), 'size': len(data)}

def manifest(kind, document, tag=None):
    data = json.dumps({'schemaVersion': 2, 'mediaType': kind, **document}).encode()
    send('PUT', repository + '/manifests/' + (tag or digest(data)), data, kind)
    return {'mediaType': kind, 'digest': digest(data), 'size': len(data)}

def image(os, architecture, **platform):
    platform = {'os': os, 'architecture': architecture, **platform}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        text = json.dumps(platform).encode()
        member = tarfile.TarInfo('platform.json')
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    config = {**platform, 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': [digest(raw.getvalue())]}}
    config = blob(CONFIG, json.dumps(config).encode())
    layer = blob(LAYER, gzip.compress(raw.getvalue(), mtime=0))
    return {**manifest(IMAGE, {'config': config, 'layers': [layer]}), 'platform': platform}

OCI = 'application/vnd.oci.image.'
CONFIG, LAYER = OCI + 'config.v1+json', OCI + 'layer.v1.tar+gzip'
IMAGE, INDEX = OCI + 'manifest.v1+json', OCI + 'index.v1+json'
repository = f'http://{sys.argv[1]}/v2/team/app'
amd64, arm64, v8 = image('linux', 'amd64'), image('linux', 'arm64'), image('linux', 'arm64', variant='v8')
signature = manifest(IMAGE, {'config': blob('application/vnd.oci.empty.v1+json', b'{}'), 'layers': [],
                             'artifactType': 'application/vnd.example.signature'})
manifest(INDEX, {'manifests': [amd64, v8, signature]}, 'signature-last')
manifest(INDEX, {'manifests': [signature, amd64, v8]}, 'signature-first')
manifest(INDEX, {'manifests': [amd64, arm64, v8]}, 'arm64-before-v8')
manifest(INDEX, {'manifests': [amd64, v8, arm64]}, 'arm64-after-v8')
PYTHON
python3 "$work/publish.py" "$registry"

udocker() { "$work/venv/bin/udocker" --allow-root "$@"; }
pull() { # tag $1, platform $2
  if udocker --quiet pull --index="http://$registry" --registry="http://$registry" \
    --platform="$2" "team/app:$1" >"$work/log" 2>&1; then echo "$1 $2: pulled"
  else echo "$1 $2: $(grep 'no image' "$work/log")"; fi
}
udocker version | grep '^version'
{
  pull signature-last linux/amd64
  pull signature-first linux/amd64
  pull arm64-after-v8 linux/arm64/v8
  pull arm64-before-v8 linux/arm64/v8
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "which entries are found"
signature-last linux/amd64: pulled
signature-first linux/amd64: no image found in manifest for platform (linux/amd64)
arm64-after-v8 linux/arm64/v8: pulled
arm64-before-v8 linux/arm64/v8: no image found in manifest for platform (linux/arm64/v8)
EXPECTED
