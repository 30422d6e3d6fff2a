#!/usr/bin/env bash
# containerimage-py 1.1.4 (PyPI): an index with `artifactType` is "not v2s2 or OCI manifest or list".
#
# Observed on 2026-11-27. OCI image specification 1.1 added the optional field artifactType to the index. This library
# checks an index against a closed list of fields: get_digest works, get_platforms and copy raise ContainerImageError.
# One image with artifactType behind a plain index is enough to stop the copy of the index, after the platforms were
# read without an error. Annotations do no harm.
#
# What it means: a copy to another registry with this library fails for the whole tag, not for the entry. Mark an index
# with annotations rather than with artifactType while such clients read it.
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
"$work/venv/bin/pip" install -q containerimage-py==1.1.4

cat >"$work/read.py" <<'PYTHON'
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
from image.containerimage import ContainerImage

repository = f'http://{sys.argv[1]}/v2/team/app'
entries = [image('linux', 'amd64'), image('linux', 'arm64', variant='v8')]
marked = manifest(IMAGE, {'config': blob(CONFIG, b'{"os":"linux","architecture":"s390x"}'), 'layers': [],
                          'artifactType': 'application/vnd.example.app'})
marked['platform'] = {'os': 'linux', 'architecture': 's390x'}
manifest(INDEX, {'manifests': entries, 'annotations': {'org.example': 'app'}}, 'annotations')
manifest(INDEX, {'manifests': entries, 'artifactType': 'application/vnd.example.app'}, 'artifact-type')
manifest(INDEX, {'manifests': entries + [marked]}, 'in-an-image')

def attempt(name, call):
    try:
        call()
        return name + ' works'
    except Exception as error:
        return f'{name}: {type(error).__name__} {str(error).split(":")[0]}'

for tag in ('annotations', 'artifact-type', 'in-an-image'):
    one = ContainerImage(f'{sys.argv[1]}/team/app:{tag}')
    print(tag)
    print('  ' + attempt('get_digest', lambda: one.get_digest(auth={}, http=True)))
    print('  ' + attempt('get_platforms', lambda: one.get_platforms(auth={}, http=True)))
    target = f'{sys.argv[1]}/copy/app:{tag}'
    print('  ' + attempt('copy', lambda: one.copy(target, {}, src_http=True, dest_http=True)))
PYTHON
echo "containerimage-py 1.1.4"
"$work/venv/bin/python" "$work/read.py" "$registry" | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "which index it reads"
annotations
  get_digest works
  get_platforms works
  copy works
artifact-type
  get_digest works
  get_platforms: ContainerImageError Invalid schema, not v2s2 or OCI manifest or list
  copy: ContainerImageError Invalid schema, not v2s2 or OCI manifest or list
in-an-image
  get_digest works
  get_platforms works
  copy: ContainerImageError Invalid schema, not v2s2 or OCI manifest or list
EXPECTED
