#!/usr/bin/env bash
# charliecloud 0.31 (Debian): an index that lists one platform twice cannot be pulled, for the other platforms either.
#
# Observed on 2026-11-28. An index may list a platform more than once. Tools that publish each image with gzip and with
# zstd layers do so, and put the gzip image first for clients that know nothing else. `ch-image pull` reads the whole
# index into a table by architecture, and the second amd64 is the error "duplicate architecture: amd64", also when
# arm64 was asked for, which stands there once. A second entry for another OS does no harm.
#
# What it means: zstd images beside the gzip ones lock such users out of the tag, although nothing that they use has
# changed. Give zstd images a tag of their own, or the users the digest of their image.
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

debian charliecloud-builders=0.31-1 charliecloud-common=0.31-1 charliecloud-runtime=0.31-1 \
  docker-registry=2.8.2+ds1-1
start_registry
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q lark==1.1.5 requests==2.28.1 zstandard==0.23.0
export HOME=$work USER=tester SSL_CERT_FILE=$work/cert.pem REQUESTS_CA_BUNDLE=$work/cert.pem

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

def image(os, architecture, compress=lambda data: gzip.compress(data, mtime=0), suffix='+gzip', **platform):
    platform = {'os': os, 'architecture': architecture, **platform}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        text = json.dumps(platform).encode()
        member = tarfile.TarInfo('platform.json')
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    config = {**platform, 'config': {}, 'history': [{'created_by': 'example'}],
              'rootfs': {'type': 'layers', 'diff_ids': [digest(raw.getvalue())]}}
    config = blob(CONFIG, json.dumps(config).encode())
    layer = blob(LAYER + suffix, compress(raw.getvalue()))
    return {**manifest(IMAGE, {'config': config, 'layers': [layer]}), 'platform': platform}

OCI = 'application/vnd.oci.image.'
CONFIG, LAYER = OCI + 'config.v1+json', OCI + 'layer.v1.tar'
IMAGE, INDEX = OCI + 'manifest.v1+json', OCI + 'index.v1+json'
import zstandard

repository = f'https://{sys.argv[1]}/v2/team/app'
amd64, arm64 = image('linux', 'amd64'), image('linux', 'arm64', variant='v8')
windows = image('windows', 'amd64', **{'os.version': '10.0.20348.2700'})
zstd = image('linux', 'amd64', zstandard.ZstdCompressor().compress, '+zstd')
zstd['annotations'] = {'io.github.containers.compression.zstd': 'true'}
manifest(INDEX, {'manifests': [windows, amd64, arm64]}, 'gzip')
manifest(INDEX, {'manifests': [windows, amd64, arm64, zstd]}, 'gzip-and-zstd')
PYTHON
"$work/venv/bin/python" "$work/publish.py" "$registry"

ch_image() { "$work/venv/bin/python" "$work/root/usr/bin/ch-image" --no-cache --storage "$work/images" "$@"; }
pull() { # tag $1, architecture $2
  if ch_image --arch "$2" pull "$registry/team/app:$1" >"$work/log" 2>&1; then
    cat "$work"/images/img/*/platform.json
  else sed -n 's/^error: //p' "$work/log"; fi
  rm -rf "$work/images"
}
echo "charliecloud $(ch_image --version)"
for tag in gzip gzip-and-zstd; do
  for architecture in amd64 arm64/v8; do echo "$tag, $architecture: $(pull $tag $architecture)"; done
done | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what can be pulled"
gzip, amd64: {"os": "linux", "architecture": "amd64"}
gzip, arm64/v8: {"os": "linux", "architecture": "arm64", "variant": "v8"}
gzip-and-zstd, amd64: manifest list: duplicate architecture: amd64
gzip-and-zstd, arm64/v8: manifest list: duplicate architecture: amd64
EXPECTED
