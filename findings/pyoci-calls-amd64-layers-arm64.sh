#!/usr/bin/env bash
# pyoci 0.2.1 (PyPI) and docker-registry 2.8.2 (Debian): an image "for linux/arm64" is built on the amd64 base.
#
# Observed on 2026-11-28. pyoci asks for images and for OCI indexes, not for Docker lists. For a tag that is a Docker
# list this registry then answers with the list's linux/amd64 image. pyoci puts the layers of that image under the new
# one and writes the platform of the command line into configuration and layout. It exits 0. With an OCI index the right
# base is taken. A base tag that is one amd64 image is called arm64 as well.
#
# What it means: a list that is made from such images says arm64 and starts amd64 programs. No check of platforms finds
# it, since configuration and list agree. Give pyoci a base in an OCI index, or the digest of the platform's own image.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
registry_pid=
trap 'if [ "$registry_pid" ]; then kill "$registry_pid" || true; wait "$registry_pid" || true; fi; rm -rf "$work"' EXIT

debian() { # downloads packages (name=version) and unpacks them below $work/root
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$@")
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; rm "$package"; done
}

start_registry() { # with TLS, on a port that the system chooses; sets $registry
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>"$work/openssl.log"
  printf '%s\n' 'version: 0.1' 'log: {level: info}' \
    "http: {addr: '127.0.0.1:0', tls: {certificate: $work/cert.pem, key: $work/key.pem}}" \
    "storage: {filesystem: {rootdirectory: $work/data}, delete: {enabled: true}}" >"$work/registry.yml"
  "$work/root/usr/bin/docker-registry" serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  registry_pid=$!
  for _ in $(seq 100); do
    registry=$(sed -n 's/.*msg="listening on \([0-9.:]*\), tls".*/\1/p' "$work/registry.log")
    if [ -n "$registry" ]; then return; fi
    sleep 0.1
  done
  cat "$work/registry.log" >&2
  exit 1
}

debian docker-registry=2.8.2+ds1-1
start_registry
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyoci==0.2.1
export HOME=$work SSL_CERT_FILE=$work/cert.pem

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
repository = f'https://{sys.argv[1]}/v2/team/base'
entries = [image('linux', 'amd64'), image('linux', 'arm64')]
manifest(LIST, {'manifests': entries}, 'docker-list')
OCI = 'application/vnd.oci.image.'
CONFIG, LAYER = OCI + 'config.v1+json', OCI + 'layer.v1.tar+gzip'
IMAGE, INDEX = OCI + 'manifest.v1+json', OCI + 'index.v1+json'
entries = [image('linux', 'amd64'), image('linux', 'arm64')]
manifest(INDEX, {'manifests': entries}, 'oci-index')
PYTHON
python3 "$work/publish.py" "$registry"

cat >"$work/show.py" <<'PYTHON'
import json, tarfile

def blob(descriptor):
    return 'dist/image/blobs/sha256/' + descriptor['digest'].split(':')[1]

entry = json.load(open('dist/image/index.json'))['manifests'][0]
image = json.load(open(blob(entry)))
base = json.load(tarfile.open(blob(image['layers'][0])).extractfile('platform.json'))
print('list entry', entry['platform']['architecture'] + ', configuration', json.load(open(blob(image['config'])))
      ['architecture'] + ', base layer', base['architecture'])
PYTHON

build() { # on base $1, for linux/arm64
  mkdir "$work/$1"
  echo 'print("hello")' >"$work/$1/app.py"
  (cd "$work/$1" && "$work/venv/bin/pyoci" build --tag "registry.example/team/app:1" --no-cache --no-progress \
    --base-image "$registry/team/base:$1" --platform linux/arm64 >"$work/$1.log" 2>&1 && python3 "$work/show.py")
}
echo "pyoci 0.2.1, docker-registry 2.8.2+ds1-1"
{
  echo "control, the base is an OCI index: $(build oci-index)"
  echo "the base is a Docker list: $(build docker-list)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the base that is taken"
control, the base is an OCI index: list entry arm64, configuration arm64, base layer arm64
the base is a Docker list: list entry arm64, configuration arm64, base layer amd64
EXPECTED
