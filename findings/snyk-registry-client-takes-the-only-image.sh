#!/usr/bin/env bash
# @snyk/docker-registry-v2-client 4.0.5 (npm): of an index with one image it takes that image for every platform.
#
# Observed on 2026-11-28. getManifest takes a platform. In an index of two images a platform that is not there is an
# error. In an index of one image the platform is not looked at: linux/arm64 and windows/s390x give the linux/amd64
# image. Attestations are not counted, so this is the index that a build for one platform with provenance makes.
#
# What it means: a report "about linux/arm64" is about the amd64 image, and it changes its subject on the day on which
# a second platform is published. Compare the architecture in the configuration with the one asked for.
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
npm install --silent --no-audit --no-fund --prefix "$work/npm" @snyk/docker-registry-v2-client@4.0.5 >/dev/null
export SSL_CERT_FILE=$work/cert.pem NODE_EXTRA_CA_CERTS=$work/cert.pem

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
repository = f'https://{sys.argv[1]}/v2/team/app'
amd64, arm64 = image('linux', 'amd64'), image('linux', 'arm64')
attestation = image('unknown', 'unknown')
attestation['annotations'] = {'vnd.docker.reference.type': 'attestation-manifest',
                              'vnd.docker.reference.digest': amd64['digest']}
manifest(INDEX, {'manifests': [amd64, arm64, attestation]}, 'two')
manifest(INDEX, {'manifests': [amd64, attestation]}, 'one')
PYTHON
python3 "$work/publish.py" "$registry"

cat >"$work/npm/read.js" <<'JAVASCRIPT'
const client = require('@snyk/docker-registry-v2-client');
const registry = process.argv[2];
const oci = 'application/vnd.oci.image.';
const acceptManifest = `${oci}index.v1+json, ${oci}manifest.v1+json`;

async function read(tag, os, architecture) {
  const asked = `${tag}, asked for ${os}/${architecture}`;
  try {
    const image = await client.getManifest(
      registry, 'team/app', tag, undefined, undefined, { acceptManifest }, { os, architecture });
    const config = await client.getImageConfig(registry, 'team/app', image.config.digest);
    console.log(`${asked}: ${config.os}/${config.architecture}`);
  } catch (error) {
    console.log(`${asked}: ${error.message.split(':')[0]}`);
  }
}

(async () => {
  await read('two', 'linux', 'arm64');
  await read('two', 'linux', 's390x');
  await read('one', 'linux', 'amd64');
  await read('one', 'linux', 'arm64');
  await read('one', 'windows', 's390x');
})();
JAVASCRIPT
echo "@snyk/docker-registry-v2-client 4.0.5, node $(node --version)"
node "$work/npm/read.js" "$registry" | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the image that is taken"
two, asked for linux/arm64: linux/arm64
two, asked for linux/s390x: no supported manifest found for platform
one, asked for linux/amd64: linux/amd64
one, asked for linux/arm64: linux/amd64
one, asked for windows/s390x: linux/amd64
EXPECTED
