#!/usr/bin/env bash
# oci-image-tool 1.0.0~rc2+really.rc1 (Debian): with several names in a layout, `--ref name=` takes the wrong image.
#
# Observed on 2026-11-28. In a layout of one image a name that is not there is an error. In a layout of two images the
# same name unpacks the last one, and `validate` says that the name is OK. In a layout of three images the first and the
# last name are "not unique", although each stands there once, and a name that is not there unpacks the second image.
#
# What it means: a wrong or mistyped tag goes unnoticed, and the exit code of `validate --ref` says nothing about the
# tag. Put each image into a layout of its own before this tool reads it.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

debian() { # downloads packages (name=version) and unpacks them below $work/root
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$@")
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; rm "$package"; done
}

debian oci-image-tool=1.0.0~rc2+really.rc1+dfsg-2+b12

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

def image(architecture, text, **fields):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        member = tarfile.TarInfo('name.txt')
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    config = {'os': 'linux', 'architecture': architecture, 'config': {}, 'history': [{'created_by': 'example'}],
              'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(raw.getvalue()).hexdigest()]}}
    config = blob('config.v1+json', json.dumps(config).encode())
    layer = blob('layer.v1.tar', raw.getvalue())
    return blob('manifest.v1+json', document('manifest.v1+json', config=config, layers=[layer]), **fields)

def finish(entries):
    open(layout + '/oci-layout', 'w').write('{"imageLayoutVersion": "1.0.0"}')
    open(layout + '/index.json', 'wb').write(document('index.v1+json', manifests=entries))

layout, names = sys.argv[1], sys.argv[2:]
finish([image('amd64', name, annotations=named(name)) for name in names])
PYTHON
python3 "$work/layout.py" "$work/1" a
python3 "$work/layout.py" "$work/2" a b
python3 "$work/layout.py" "$work/3" a b c

tool() { "$work/root/usr/bin/oci-image-tool" "$@"; }
unpack() { # name $2 of the layout of $1 images; prints whose content that is, or the error
  if tool unpack --ref "name=$2" "$work/$1" "$work/out" 2>"$work/log"; then cat "$work/out/name.txt"
  else sed -n 's/.*level=fatal msg="\(.*\)"$/\1/p' "$work/log"; fi
  rm -rf "$work/out"
}
tool --version
{
  echo "control, of one image, a: $(unpack 1 a)"
  echo "control, of one image, nothing: $(unpack 1 nothing)"
  echo "of two images, a: $(unpack 2 a)"
  echo "of two images, nothing: $(unpack 2 nothing)"
  echo "of two images, validate nothing: $(tool validate --type image --ref name=nothing "$work/2" 2>&1 | tail -n 1)"
  for name in a b c nothing; do echo "of three images, $name: $(unpack 3 $name)"; done
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the image that is taken"
control, of one image, a: a
control, of one image, nothing: index.json: descriptor retrieved by refs [name=nothing] is not match
of two images, a: a
of two images, nothing: b
of two images, validate nothing: Validation succeeded
of three images, a: index.json: descriptor retrieved by refs [name=a] is not unique
of three images, b: b
of three images, c: index.json: descriptor retrieved by refs [name=c] is not unique
of three images, nothing: b
EXPECTED
