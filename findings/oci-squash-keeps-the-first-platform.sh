#!/usr/bin/env bash
# oci-squash 0.1.0 (PyPI): of an archive with several images the first one is left, whatever its platform is.
#
# Observed on 2026-11-28. The input is an OCI archive, the output one for `docker load`. From an index the tool takes
# the first entry, so the order of the index decides whether the new image is amd64 or arm64: there is no option for it.
# Of an archive with two tags it takes the first as well. It says "Squashed image Done." and exits 0.
#
# What it means: the platforms behind a tag shrink to one, on any machine and without a message, and other tags are
# gone. Copy one platform into the archive first and look at the architecture of the result.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q oci-squash==0.1.0

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

def layer(name, text):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return blob('layer.v1.tar', raw.getvalue())

def image(architecture, **fields):
    layers = [layer(name, architecture) for name in ('first.txt', 'second.txt')]
    config = {'os': 'linux', 'architecture': architecture, 'config': {}, 'history': [{'created_by': 'example'}] * 2,
              'rootfs': {'type': 'layers', 'diff_ids': [one['digest'] for one in layers]}}
    config = blob('config.v1+json', json.dumps(config).encode())
    return blob('manifest.v1+json', document('manifest.v1+json', config=config, layers=layers), **fields)

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
import json, sys, tarfile

with tarfile.open(sys.argv[1]) as tar:
    members = {member.name.removeprefix('./'): member for member in tar.getmembers()}
    images = json.load(tar.extractfile(members['manifest.json']))
    print(*(json.load(tar.extractfile(members[image['Config']]))['architecture'] for image in images))
PYTHON

squash() { # an archive of what the arguments say
  rm -rf "$work/layout"
  python3 "$work/layout.py" "$work/layout" "$@"
  tar -C "$work/layout" -cf "$work/in.tar" .
  "$work/venv/bin/oci-squash" -t registry.example/app:1.0 -o "$work/out.tar" "$work/in.tar" >"$work/log" 2>&1
  echo "$(python3 "$work/show.py" "$work/out.tar"), $(sed -n '$s/.*INFO *//p' "$work/log")"
}
echo "oci-squash 0.1.0"
{
  echo "control, one image for arm64: $(squash tags arm64)"
  echo "an index of amd64 and arm64: $(squash amd64 arm64)"
  echo "an index of arm64 and amd64: $(squash arm64 amd64)"
  echo "two tags, for s390x and amd64: $(squash tags s390x amd64)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the images that are left"
control, one image for arm64: arm64, Squashed image Done.
an index of amd64 and arm64: amd64, Squashed image Done.
an index of arm64 and amd64: arm64, Squashed image Done.
two tags, for s390x and amd64: s390x, Squashed image Done.
EXPECTED
