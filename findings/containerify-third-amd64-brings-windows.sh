#!/usr/bin/env bash
# containerify 4.1.0 (npm): with linux/amd64 and linux/amd64/v3 in the base's index, it builds on the Windows image.
#
# Observed on 2026-11-27. The base's index has windows/amd64, linux/amd64 and linux/amd64/v3. `--platform linux/amd64`
# fits two entries. containerify then warns "Preferred OS 'linux' not available", takes the first entry of that
# architecture whatever its OS is, and exits 0. Without the v3 entry it takes linux/amd64, as it should.
#
# What it means: adding a variant to an index can change the base image of other people's builds. List the plain linux
# entries first in an index; users of containerify can name a base tag that has one platform only.
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
npm install --silent --no-audit --no-fund --prefix "$work/npm" containerify@4.1.0 >/dev/null
mkdir "$work/app"
echo '{"name": "app", "version": "1.0.0"}' >"$work/app/package.json"
echo 'console.log("hello")' >"$work/app/index.js"

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
repository = f'http://{sys.argv[1]}/v2/team/base'
windows = image('windows', 'amd64', **{'os.version': '10.0.20348.2700'})
linux, v3 = image('linux', 'amd64'), image('linux', 'amd64', variant='v3')
manifest(INDEX, {'manifests': [windows, linux]}, 'two')
manifest(INDEX, {'manifests': [windows, linux, v3]}, 'three')
PYTHON
python3 "$work/publish.py" "$registry"

build() { # on base $1; prints the OS of the image that comes out
  "$work/npm/node_modules/.bin/containerify" --fromRegistry "http://$registry/v2/" --fromImage "team/base:$1" \
    --platform linux/amd64 --folder "$work/app" --toImage "app:1" --toTar "$work/$1.tar" >"$work/$1.log"
  sed -n 's/^[^ ]* \(\[WARN\] Preferred.*\)/\1/p' "$work/$1.log"
  tar -xOf "$work/$1.tar" config.json | python3 -c 'import json, sys; print("built on:", json.load(sys.stdin)["os"])'
}
echo "containerify $("$work/npm/node_modules/.bin/containerify" --version)"
{
  echo "control, windows/amd64 and linux/amd64:"
  build two
  echo "windows/amd64, linux/amd64 and linux/amd64/v3:"
  build three
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the base image that is taken"
control, windows/amd64 and linux/amd64:
built on: linux
windows/amd64, linux/amd64 and linux/amd64/v3:
[WARN] Preferred OS 'linux' not available.
built on: windows
EXPECTED
