#!/usr/bin/env bash
# azure-containerregistry 1.2.0 (PyPI): get_manifest and set_manifest under a new tag publish another digest.
#
# Observed on 2026-11-27. get_manifest checks the digest of what it received, but returns the manifest only as a parsed
# document. set_manifest writes that document with Python's own spacing. So a retag of an index in the way that the
# types suggest makes an index with a new digest, although every entry is the same. set_manifest compares the registry's
# digest with that of its own bytes, so it reports no error. Bytes given to set_manifest are sent as they are.
#
# What it means: signatures, attestations and pins of the first digest do not hold for the new tag. Fetch the bytes with
# another client, pass them as a stream, and compare the digest that set_manifest returns with the one of get_manifest.
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
"$work/venv/bin/pip" install -q azure-containerregistry==1.2.0

cat >"$work/retag.py" <<'PYTHON'
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
from azure.containerregistry import ContainerRegistryClient

repository = f'http://{sys.argv[1]}/v2/team/app'
entries = [image('linux', 'amd64'), image('linux', 'arm64', variant='v8')]
index = json.dumps({'schemaVersion': 2, 'mediaType': INDEX, 'manifests': entries}, indent=3).encode()
send('PUT', repository + '/manifests/1.0', index, INDEX)

client = ContainerRegistryClient('http://' + sys.argv[1], credential=None)
plain = {'enforce_https': False}
got = client.get_manifest('team/app', '1.0', **plain)
print('get_manifest gives the digest of the index:', got.digest == digest(index))
kind = {'media_type': got.media_type}
new = client.set_manifest('team/app', got.manifest, tag='latest', **kind, **plain)
print('control, set_manifest with the bytes keeps it:',
      client.set_manifest('team/app', io.BytesIO(index), tag='copy', **kind, **plain) == got.digest)
print('set_manifest with what get_manifest returned keeps it:', new == got.digest)
print('the entries are the same:', client.get_manifest('team/app', 'latest', **plain).manifest == json.loads(index))
PYTHON
echo "azure-containerregistry 1.2.0"
"$work/venv/bin/python" "$work/retag.py" "$registry" | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the digest of the retagged index"
get_manifest gives the digest of the index: True
control, set_manifest with the bytes keeps it: True
set_manifest with what get_manifest returned keeps it: False
the entries are the same: True
EXPECTED
