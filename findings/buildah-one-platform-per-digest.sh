#!/usr/bin/env bash
# buildah 1.28.2 (Debian): an image can stand in a manifest list for one platform only.
#
# Observed on 2026-11-27. A list names one image twice, for linux/arm/v6 and linux/arm/v7: a list may do so, for example
# for an image that holds only data. `buildah manifest add --all` keeps one entry, the last. `manifest add` of one image
# with --variant v6 and then with --variant v7 also leaves one entry. Both exit 0 and print no warning.
#
# What it means: after a copy of such a list with buildah the other platform cannot pull any more. Compare the number of
# entries, or give each platform an image of its own (another digest).
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

debian buildah=1.28.2+ds1-3+deb12u1+b3 docker-registry=2.8.2+ds1-1 libgpgme11=1.18.0-3+deb12u1 libassuan0=2.5.5-5
start_registry
export HOME=$work LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu
mkdir -p "$work/.config/containers"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/.config/containers/policy.json"

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
repository = f'http://{sys.argv[1]}/v2/team/data'
one, other = image('linux', 'arm', variant='v6'), image('linux', 'arm', variant='v7')
v7 = {'os': 'linux', 'architecture': 'arm', 'variant': 'v7'}
manifest(INDEX, {'manifests': [one, {**one, 'platform': v7}]}, 'shared')
manifest(INDEX, {'manifests': [one, other]}, 'separate')
print(one['digest'])
PYTHON
digest=$(python3 "$work/publish.py" "$registry")

buildah() { "$work/root/usr/bin/buildah" --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
add() { # to list $1, image $2, with the flags that follow
  buildah manifest add --tls-verify=false "${@:3}" "$1" "docker://$registry/team/data$2" >/dev/null
}
variants() { # of the list as it is published
  buildah manifest push -q --all --tls-verify=false "$1" "docker://$registry/team/data:$1-copy"
  curl -s -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$registry/v2/team/data/manifests/$1-copy" |
    python3 -c 'import json, sys; print(*(m["platform"]["variant"] for m in json.load(sys.stdin)["manifests"]))'
}

for list in separate shared by-hand; do buildah manifest create "$list" >/dev/null; done
add separate :separate --all
add shared :shared --all
add by-hand "@$digest" --arch arm --variant v6
add by-hand "@$digest" --arch arm --variant v7

buildah --version
{
  echo "control, two images for v6 and v7, add --all: $(variants separate)"
  echo "one image for v6 and v7, add --all: $(variants shared)"
  echo "one image added as v6, then as v7: $(variants by-hand)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the entries that are left"
control, two images for v6 and v7, add --all: v6 v7
one image for v6 and v7, add --all: v7
one image added as v6, then as v7: v7
EXPECTED
