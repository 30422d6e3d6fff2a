#!/usr/bin/env bash
# registry-api-v2-client 1.2.0 (PyPI): a pushed image states a wrong size of its configuration; a second image is lost.
#
# Observed on 2026-11-28. The input is an archive of two images, as `docker save` writes it. The configuration's
# descriptor gets the size of all layers together. docker-registry 2.8.2 accepts that. The function "with all original
# tags" pushes the tags of the first image only. It returns digests and raises nothing.
#
# What it means: clients that hold a blob to the size in its descriptor, as the specification asks of them, cannot pull
# the image, and a list that names it is broken for that platform. Push archives with another tool, or fetch the
# configuration and compare its length before the image goes into a list.
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
"$work/venv/bin/pip" install -q registry-api-v2-client==1.2.0

cat >"$work/push.py" <<'PYTHON'
import asyncio, hashlib, io, json, sys, tarfile, urllib.error, urllib.request
from registry_api_v2_client.push import push_docker_tar_with_all_original_tags

registry, archive = sys.argv[1:]

def add(tar, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))

def blob(tar, data):
    add(tar, 'blobs/sha256/' + hashlib.sha256(data).hexdigest(), data)
    return 'blobs/sha256/' + hashlib.sha256(data).hexdigest()

def image(tar, architecture, *tags):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode='w') as inner:
        add(inner, 'architecture.txt', architecture.encode())
    config = {'os': 'linux', 'architecture': architecture, 'created': '2026-01-01T00:00:00Z', 'config': {}, 'rootfs': {
        'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(layer.getvalue()).hexdigest()]}}
    return {'Config': blob(tar, json.dumps(config).encode()), 'RepoTags': tags, 'Layers': [blob(tar, layer.getvalue())]}

with tarfile.open(archive, 'w') as tar:
    images = [image(tar, 'amd64', 'team/app:1.0', 'team/app:latest'), image(tar, 'arm64', 'team/tool:1.0')]
    add(tar, 'manifest.json', json.dumps(images).encode())
digests = asyncio.run(push_docker_tar_with_all_original_tags(archive, 'http://' + registry))
print('digests that it returns:', len(digests))

def get(path):
    return urllib.request.urlopen(urllib.request.Request(f'http://{registry}/v2/{path}', headers={
        'Accept': 'application/vnd.docker.distribution.manifest.v2+json'})).read()

def size(kind, descriptor):
    stored = len(get('team/app/blobs/' + descriptor['digest']))
    print(f'team/app:1.0, {kind}:', 'the right size' if descriptor['size'] == stored else 'a wrong size')

published = json.loads(get('team/app/manifests/1.0'))
size('layer', published['layers'][0])
size('configuration', published['config'])
print("the configuration's size is the layer's:", published['config']['size'] == published['layers'][0]['size'])
for name in ('team/app/manifests/latest', 'team/tool/manifests/1.0'):
    try:
        get(name)
        print(name.replace('/manifests/', ':') + ': published')
    except urllib.error.HTTPError as error:
        print(name.replace('/manifests/', ':') + ':', error.code)
PYTHON
echo "registry-api-v2-client 1.2.0, docker-registry 2.8.2+ds1-1"
"$work/venv/bin/python" "$work/push.py" "$registry" "$work/saved.tar" | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what it publishes"
digests that it returns: 2
team/app:1.0, layer: the right size
team/app:1.0, configuration: a wrong size
the configuration's size is the layer's: True
team/app:latest: published
team/tool:1.0: 404
EXPECTED
