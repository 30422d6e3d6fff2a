#!/usr/bin/env bash
# snyk-docker-plugin 9.8.0 (npm): the packages of one image are reported with the configuration of another one.
#
# Observed on 2026-11-28. From an OCI archive the plugin takes the layers of the entry that fits the platform. The
# configuration it does not take by the digest that stands in that image's manifest: it takes the first one in the
# archive with the same OS and architecture. With linux/amd64 and linux/amd64/v3 in one index, the order of the files in
# the archive decides whether labels, environment and rootFs are those of the image. linux/amd64/v3 itself is refused.
#
# What it means: the report mixes two images. Base images are recognised by rootFs, so the advice is about a base that
# the scanned image does not have. One image for each OS and architecture in an archive is read as it should be.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work/npm" snyk-docker-plugin@9.8.0 >/dev/null

cat >"$work/archive.py" <<'PYTHON'
import hashlib, io, json, sys, tarfile

OCI = 'application/vnd.oci.image.'
path, order, names = sys.argv[1], sys.argv[2], sys.argv[3:]
blobs, configurations = {}, []

def blob(kind, data):
    digest = 'sha256:' + hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return {'mediaType': OCI + kind, 'digest': digest, 'size': len(data)}

def document(kind, **fields):
    return json.dumps({'schemaVersion': 2, 'mediaType': OCI + kind, **fields}).encode()

def add(tar, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))

def image(name):
    platform = dict(zip(('os', 'architecture', 'variant'), name.split('/')))
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        add(tar, 'etc/os-release', b'ID=debian\nVERSION_ID="12"\n')
        package = 'built-for-' + name.replace('/', '-')
        add(tar, 'var/lib/dpkg/status', f'Package: {package}\nStatus: install ok installed\nVersion: 1.0\n\n'.encode())
    layer = blob('layer.v1.tar', raw.getvalue())
    config = blob('config.v1+json', json.dumps({
        **platform, 'created': '2026-01-01T00:00:00Z', 'config': {'Labels': {'built-for': name}}, 'history': [],
        'rootfs': {'type': 'layers', 'diff_ids': [layer['digest']]}}).encode())
    configurations.append(config['digest'])
    return {**blob('manifest.v1+json', document('manifest.v1+json', config=config, layers=[layer])),
            'platform': platform}

index = blob('index.v1+json', document('index.v1+json', manifests=[image(name) for name in names]))
index['annotations'] = {'org.opencontainers.image.ref.name': '1.0'}
if order == 'reversed':
    configurations.reverse()
with tarfile.open(path, 'w') as tar:
    for digest in [*configurations, *(digest for digest in blobs if digest not in configurations)]:
        add(tar, 'blobs/' + digest.replace(':', '/'), blobs[digest])
    add(tar, 'index.json', document('index.v1+json', manifests=[index]))
    add(tar, 'oci-layout', b'{"imageLayoutVersion": "1.0.0"}')
PYTHON

cat >"$work/npm/scan.js" <<'JAVASCRIPT'
const plugin = require('snyk-docker-plugin');
const [archive, platform] = process.argv.slice(2);

plugin.scan({ path: 'oci-archive:' + archive, platform }).then(({ scanResults }) => {
  const facts = {};
  scanResults[0].facts.forEach(({ type, data }) => { facts[type] = data; });
  const packages = facts.depGraph.getDepPkgs().map(({ name }) => name);
  const same = facts.rootFs[0] === facts.imageLayers[0];
  console.log(`${packages}, label ${facts.imageLabels['built-for']}, rootFs ${same ? 'of' : 'not of'} its layers`);
}).catch((error) => console.log(error.message.split('.')[0]));
JAVASCRIPT

scan() { # platform $1 of an archive with its configurations in order $2 and the images that follow
  python3 "$work/archive.py" "$work/image.tar" "${@:2}"
  node "$work/npm/scan.js" "$work/image.tar" "$1"
}
version=$(cd "$work/npm" && node -p "require('snyk-docker-plugin/package.json').version")
echo "snyk-docker-plugin $version, node $(node --version)"
{
  for order in listed reversed; do
    echo "control, amd64 and arm64, $order: $(scan linux/arm64 $order linux/amd64 linux/arm64)"
  done
  for order in listed reversed; do
    echo "amd64 and amd64/v3, $order: $(scan linux/amd64 $order linux/amd64 linux/amd64/v3)"
  done
  echo "asked for amd64/v3: $(scan linux/amd64/v3 listed linux/amd64 linux/amd64/v3)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the configuration that is read"
control, amd64 and arm64, listed: built-for-linux-arm64, label linux/arm64, rootFs of its layers
control, amd64 and arm64, reversed: built-for-linux-arm64, label linux/arm64, rootFs of its layers
amd64 and amd64/v3, listed: built-for-linux-amd64, label linux/amd64, rootFs of its layers
amd64 and amd64/v3, reversed: built-for-linux-amd64, label linux/amd64/v3, rootFs not of its layers
asked for amd64/v3: Unsupported archive type
EXPECTED
