#!/usr/bin/env bash
# docker-registry-admin 1.0.2 (PyPI) and docker-registry 2.8.2 (Debian): deleting a tag deletes one image of its list.
#
# Observed on 2026-11-27. The client asks for the tag's digest and accepts only a single Docker image. For a tag that is
# a Docker manifest list, this registry then answers with the digest of the list's linux/amd64 image. The client deletes
# that digest. The command succeeds, the tag and its list stay, and linux/amd64 is gone.
#
# What it means: a clean-up job with such a client breaks multi-platform tags instead of removing them. Delete a list by
# the digest that a request with the list's own media type in Accept returns.
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
"$work/venv/bin/pip" install -q docker-registry-admin==1.0.2

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

DOCKER = 'application/vnd.docker.'
CONFIG, LAYER = DOCKER + 'container.image.v1+json', DOCKER + 'image.rootfs.diff.tar.gzip'
IMAGE, LIST = DOCKER + 'distribution.manifest.v2+json', DOCKER + 'distribution.manifest.list.v2+json'
repository = f'http://{sys.argv[1]}/v2/team/app'
amd64, arm64 = image('linux', 'amd64'), image('linux', 'arm64', variant='v8')
manifest(LIST, {'manifests': [amd64, arm64]}, 'multi')
manifest(IMAGE, {'config': blob(CONFIG, b'{"os":"linux","architecture":"amd64"}'), 'layers': []}, 'single')
print(amd64['digest'], arm64['digest'])
PYTHON
read -r amd64 arm64 < <(python3 "$work/publish.py" "$registry")

status() { # of a tag or digest, whatever kind of manifest it is
  curl -s -o /dev/null -w '%{http_code}' "http://$registry/v2/team/app/manifests/$1" \
    -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json' \
    -H 'Accept: application/vnd.docker.distribution.manifest.v2+json'
}
delete() { DOCKER_REGISTRY_URL=http://$registry "$work/venv/bin/docker-registry" delete team/app "$1"; }
row() { echo "$1: single $(status single), multi $(status multi), amd64 $(status "$amd64"), arm64 $(status "$arm64")"; }

echo "docker-registry-admin 1.0.2, docker-registry 2.8.2+ds1-1"
row before | tee "$work/before"
delete single
delete multi
echo "docker-registry delete team/app single, then multi: both exit 0"
row after | tee "$work/after"

[ "$(cat "$work/before")" = "before: single 200, multi 200, amd64 200, arm64 200" ] || fail "the set-up"
[ "$(cat "$work/after")" = "after: single 404, multi 200, amd64 404, arm64 200" ] || fail "what is deleted"
