#!/usr/bin/env bash
# gardener-oci 1.2863.0 (PyPI): a copy with annotations, or of some platforms, has attestations of absent images.
#
# Observed on 2026-11-28. replicate_artifact copies an index with its bytes. With `annotations` it writes them not only
# into the index but into every image in it, so each image gets a new digest, while vnd.docker.reference.digest of the
# attestations still names the old ones. With a platform_filter that leaves out an image, its attestation stays. In both
# cases the index is written anew without `os.version`: two images for two Windows versions become the same platform.
#
# What it means: after such a copy an SBOM of an image is not found, or belongs to no image, digests that were signed
# are gone, and Windows hosts take the first image whatever their version is. Copy without these two arguments.
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
"$work/venv/bin/pip" install -q gardener-oci==1.2863.0
export HOME=$work SSL_CERT_FILE=$work/cert.pem REQUESTS_CA_BUNDLE=$work/cert.pem

cat >"$work/replicate.py" <<'PYTHON'
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

def attestation(of):
    unknown = {'os': 'unknown', 'architecture': 'unknown'}
    config = {**unknown, 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': []}}
    config = blob(CONFIG, json.dumps(config).encode())
    statement = blob('application/vnd.in-toto+json', json.dumps({'example': of['digest']}).encode())
    return {**manifest(IMAGE, {'config': config, 'layers': [statement]}), 'platform': unknown, 'annotations': {
        'vnd.docker.reference.type': 'attestation-manifest', REFERENCE: of['digest']}}

OCI, REFERENCE = 'application/vnd.oci.image.', 'vnd.docker.reference.digest'
CONFIG, LAYER = OCI + 'config.v1+json', OCI + 'layer.v1.tar+gzip'
IMAGE, INDEX = OCI + 'manifest.v1+json', OCI + 'index.v1+json'
import oci, oci.client

registry = sys.argv[1]
repository = f'https://{registry}/v2/team/app'
linux = [image('linux', 'amd64'), image('linux', 'arm64')]
windows = [image('windows', 'amd64', **{'os.version': version}) for version in ('10.0.17763.6414', '10.0.20348.2700')]
attestations = [attestation(one) for one in linux]
manifest(INDEX, {'manifests': linux + windows + attestations}, '1')
before = {entry['digest'] for entry in linux + windows}

def served(tag):
    request = urllib.request.Request(f'https://{registry}/v2/mirror/app/manifests/{tag}', headers={'Accept': INDEX})
    return json.load(urllib.request.urlopen(request))['manifests']

def show(what, **options):
    oci.replicate_artifact(f'{registry}/team/app:1', f'{registry}/mirror/app:1', oci_client=oci.client.Client(),
                           mode=oci.ReplicationMode.PREFER_MULTIARCH, **options)
    entries = served('1')
    images = [entry for entry in entries if entry['platform']['os'] != 'unknown']
    named = [entry['annotations'][REFERENCE] for entry in entries if entry not in images]
    there = {entry['digest'] for entry in images}
    versions = [entry['platform'].get('os.version') for entry in images if entry['platform']['os'] == 'windows']
    print(what, len(images), 'images, of which', len(there & before), 'keep their digest')
    tied = sum(name in there for name in named)
    print('  ', len(named), 'attestations, of which', tied, 'name an image in the index')
    print('   os.version:', *versions)

show('control, no options:')
show('control, a filter that takes all:', platform_filter=lambda platform: True)
show('all but linux/amd64:', platform_filter=lambda one: (one.os, one.architecture) != ('linux', 'amd64'))
show('one annotation:', annotations={'org.example.mirrored': 'yes'})
PYTHON
echo "gardener-oci 1.2863.0, docker-registry 2.8.2+ds1-1"
"$work/venv/bin/python" "$work/replicate.py" "$registry" | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what the copy has"
control, no options: 4 images, of which 4 keep their digest
   2 attestations, of which 2 name an image in the index
   os.version: 10.0.17763.6414 10.0.20348.2700
control, a filter that takes all: 4 images, of which 4 keep their digest
   2 attestations, of which 2 name an image in the index
   os.version: 10.0.17763.6414 10.0.20348.2700
all but linux/amd64: 3 images, of which 3 keep their digest
   2 attestations, of which 1 name an image in the index
   os.version: None None
one annotation: 4 images, of which 0 keep their digest
   2 attestations, of which 0 name an image in the index
   os.version: None None
EXPECTED
