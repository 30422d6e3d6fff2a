#!/usr/bin/env bash
# @cyclonedx/cdxgen 12.8.4 (npm): the SBOM of an OCI archive with an index lists the packages of every platform.
#
# Observed on 2026-11-28. The input is an OCI archive, the output a CycloneDX SBOM. Where index.json names an image, its
# layers are read. Where it names an index, as it does for a multi-platform tag, the tool does not look into that index:
# it unpacks all files below blobs/sha256 that are layers, in the order of their names, into one tree. Packages of amd64
# and of arm64 stand side by side, without a word. Of an archive with two tags it reads the last. It exits 0.
#
# What it means: the SBOM describes an image that nobody can pull. It reports packages that a platform does not have,
# and where both platforms have a file, the order of two digests decides whose is read. Give it one platform.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional --prefix "$work/npm" \
  @cyclonedx/cdxgen@12.8.4 >/dev/null
mkdir "$work/tmp"
export HOME=$work TMPDIR=$work/tmp

cat >"$work/layout.py" <<'PYTHON'
import hashlib, io, json, os, sys, tarfile

OCI = 'application/vnd.oci.image.'

def blob(kind, data, **fields):
    digest = hashlib.sha256(data).hexdigest()
    os.makedirs(layout + '/blobs/sha256', exist_ok=True)
    open(layout + '/blobs/sha256/' + digest, 'wb').write(data)
    return {'mediaType': OCI + kind, 'digest': 'sha256:' + digest, 'size': len(data), **fields}

def document(kind, **fields):
    return json.dumps({'schemaVersion': 2, 'mediaType': OCI + kind, **fields}).encode()

def named(name):
    return {'org.opencontainers.image.ref.name': name}

def image(architecture, **fields):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        for package in ('built-for-' + architecture, 'in-both'):
            text = json.dumps({'name': package, 'version': {'amd64': '1.0.0', 'arm64': '2.0.0'}[architecture]}).encode()
            member = tarfile.TarInfo(f'usr/lib/node_modules/{package}/package.json')
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    config = {'os': 'linux', 'architecture': architecture, 'config': {}, 'history': [{'created_by': 'example'}],
              'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(raw.getvalue()).hexdigest()]}}
    config = blob('config.v1+json', json.dumps(config).encode())
    layer = blob('layer.v1.tar', raw.getvalue())
    return blob('manifest.v1+json', document('manifest.v1+json', config=config, layers=[layer]), **fields)

def finish(entries):
    open(layout + '/oci-layout', 'w').write('{"imageLayoutVersion": "1.0.0"}')
    open(layout + '/index.json', 'wb').write(document('index.v1+json', manifests=entries))

layout, what = sys.argv[1], sys.argv[2:]
if what[0] == 'tags':
    finish([image(architecture, annotations=named(architecture)) for architecture in what[1:]])
else:
    entries = [image(one, platform={'os': 'linux', 'architecture': one}) for one in what]
    finish([blob('index.v1+json', document('index.v1+json', manifests=entries), annotations=named('1.0'))])
PYTHON

cat >"$work/show.py" <<'PYTHON'
import json, sys

components = json.load(open(sys.argv[1]))['components']
print(*sorted(component['name'] + '@' + component['version'] for component in components))
PYTHON

packages() { # in the SBOM of an archive of what the arguments say
  rm -rf "$work/layout" "$work/sbom.json"
  python3 "$work/layout.py" "$work/layout" "$@"
  tar -C "$work/layout" -cf "$work/image.tar" .
  (cd "$work" && npm/node_modules/.bin/cdxgen -t docker -o sbom.json image.tar >log 2>&1)
  python3 "$work/show.py" "$work/sbom.json"
}
version=$(node -p "require('$work/npm/node_modules/@cyclonedx/cdxgen/package.json').version")
echo "@cyclonedx/cdxgen $version, node $(node --version)"
{
  echo "control, one tag, for arm64: $(packages tags arm64)"
  echo "control, an index of amd64 alone: $(packages amd64)"
  echo "an index of amd64 and arm64: $(packages amd64 arm64)"
  echo "two tags, for amd64 and arm64: $(packages tags amd64 arm64)"
  echo "two tags, for arm64 and amd64: $(packages tags arm64 amd64)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the packages that are listed"
control, one tag, for arm64: built-for-arm64@2.0.0 in-both@2.0.0
control, an index of amd64 alone: built-for-amd64@1.0.0 in-both@1.0.0
an index of amd64 and arm64: built-for-amd64@1.0.0 built-for-arm64@2.0.0 in-both@2.0.0
two tags, for amd64 and arm64: built-for-arm64@2.0.0 in-both@2.0.0
two tags, for arm64 and amd64: built-for-amd64@1.0.0 in-both@1.0.0
EXPECTED
