#!/usr/bin/env bash
# regmirror 1.2.1 (PyPI) with skopeo 1.9.3 (Debian): a mirrored image has no tag, and a list is never mirrored.
#
# Observed on 2026-11-28. `download` of a tag writes one image into an archive, the one for this machine, and notes in
# manifest.json the digest that the tag has: for a multi-platform tag that of the list, which is not in the archive. It
# says "0 errors" and exits 0. `upload` sends each archive to the noted digest, not to the tag that the documentation
# names. So a single image arrives without its tag, with exit 0, and the archive that a list became is refused.
#
# What it means: the error comes on the far side of the air gap, where the other platforms cannot be fetched any more.
# manifest.json is no record of what was carried either. Mirror lists with a tool that copies all platforms and tags.
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

debian skopeo=1.9.3+ds1-1+b10 docker-registry=2.8.2+ds1-1 libgpgme11=1.18.0-3+deb12u1 libassuan0=2.5.5-5
start_registry
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q regmirror==1.2.1
export HOME=$work
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

def image(os, architecture, tag=None, **platform):
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
    return {**manifest(IMAGE, {'config': config, 'layers': [layer]}, tag), 'platform': platform}

OCI = 'application/vnd.oci.image.'
CONFIG, LAYER = OCI + 'config.v1+json', OCI + 'layer.v1.tar+gzip'
IMAGE, INDEX = OCI + 'manifest.v1+json', OCI + 'index.v1+json'
repository = f'http://{sys.argv[1]}/v2/team/app'
image('linux', 'arm64', 'single')
manifest(INDEX, {'manifests': [image('linux', 'amd64'), image('linux', 'arm64', variant='v8')]}, 'multi')
PYTHON
python3 "$work/publish.py" "$registry"

regmirror() {
  PATH=$work/root/usr/bin:$PATH LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu "$work/venv/bin/regmirror" "$@"
}
copied="mirror/${registry//[.:]/}/team/app" # regmirror makes this name
status() { # of a tag or digest in the mirror
  curl -s -o /dev/null -w '%{http_code}' "http://$registry/v2/$copied/manifests/$1" \
    -H 'Accept: application/vnd.oci.image.index.v1+json' -H 'Accept: application/vnd.oci.image.manifest.v1+json'
}
cat >"$work/show.py" <<'PYTHON'
import json, pathlib, sys, tarfile, urllib.request

folder, url = pathlib.Path(sys.argv[1]), sys.argv[2]
[(archive, noted)] = json.loads((folder / 'manifest.json').read_text()).items()
with tarfile.open(folder / archive) as tar:
    members = {member.name.removeprefix('./'): member for member in tar.getmembers()}
    held = [entry['digest'] for entry in json.load(tar.extractfile(members['index.json']))['manifests']]
manifest = 'blobs/' + noted['digest'].replace(':', '/')
accept = {'Accept': 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'}
served = urllib.request.urlopen(urllib.request.Request(url, headers=accept)).headers['Docker-Content-Digest']
print('notes the digest of the tag:', str(noted['digest'] == served) + ', it is in the archive:', manifest in members)
print(*held, file=sys.stderr)
PYTHON
mirror() { # tag $1
  local code=0 held
  echo "$registry/team/app:$1" >"$work/images.txt"
  regmirror download -f "$work/images.txt" -o "$work/$1" --src-tls-verify false >"$work/log" 2>&1
  sed -n 's/.* Done\. \(.*\)\. Manifest:.*/download: \1/p' "$work/log"
  python3 "$work/show.py" "$work/$1" "http://$registry/v2/team/app/manifests/$1" 2>"$work/held"
  held=$(cat "$work/held")
  regmirror upload -d "$work/$1" -r "$registry/mirror" --dest-tls-verify false >"$work/log" 2>&1 || code=$?
  echo "upload: exit $code; in the mirror: its image $(status "$held"), tag $1 $(status "$1")"
}
regmirror --version | cut -d ' ' -f 1,2
"$work/root/usr/bin/skopeo" --version
{
  echo "control and single image:"
  mirror single
  echo "list of two images:"
  mirror multi
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what is mirrored"
control and single image:
download: 1 downloaded, 0 skipped, 0 errors
notes the digest of the tag: True, it is in the archive: True
upload: exit 0; in the mirror: its image 200, tag single 404
list of two images:
download: 1 downloaded, 0 skipped, 0 errors
notes the digest of the tag: True, it is in the archive: False
upload: exit 1; in the mirror: its image 404, tag multi 404
EXPECTED
