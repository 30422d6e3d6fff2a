#!/usr/bin/env bash
# podman 4.3.1 (Debian): RepoDigests names digests that were never pushed to that repository.
#
# Observed on 2026-11-27. After the pull of a multi-platform tag, `podman tag` to another repository makes RepoDigests
# claim the index's digest for the new repository too, before any push. `podman push` then uploads one image, which has
# another digest. RepoDigests does not change: no digest that it names for the new repository exists there, and the one
# that does exist is not named.
#
# What it means: do not pin an image by RepoDigests after retagging with podman. Take the digest from
# `podman push --digestfile`, and copy multi-platform tags between repositories without podman's local storage.
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

debian podman=4.3.1+ds1-8+deb12u1+b3 conmon=2.1.6+ds1-1 runc=1.1.5+ds1-1+deb12u1 docker-registry=2.8.2+ds1-1 \
  libgpgme11=1.18.0-3+deb12u1 libassuan0=2.5.5-5 libsubid4=1:4.13+dfsg1-1+deb12u2
start_registry
export HOME=$work LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu CONTAINERS_CONF=$work/containers.conf
mkdir -p "$work/.config/containers"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/.config/containers/policy.json"
printf '%s\n' '[engine]' 'cgroup_manager = "cgroupfs"' 'events_logger = "file"' 'runtime = "runc"' \
  "conmon_path = [\"$work/root/usr/bin/conmon\"]" '[engine.runtimes]' "runc = [\"$work/root/usr/sbin/runc\"]" \
  >"$CONTAINERS_CONF"

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
repository = f'http://{sys.argv[1]}/v2/team/app'
manifest(INDEX, {'manifests': [image('linux', 'amd64'), image('linux', 'arm64', variant='v8')]}, '1')
PYTHON
python3 "$work/publish.py" "$registry"

podman() { "$work/root/usr/bin/podman" --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
claims() { # how many digests podman names for the repository $1, and how many of them its registry has
  local named=0 there=0 digest
  for digest in $(podman inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$registry/other/app:1"); do
    if [ "${digest%@*}" != "$registry/$1" ]; then continue; fi
    named=$((named + 1))
    if has "$1" "${digest#*@}"; then there=$((there + 1)); fi
  done
  echo "$1: $named digests named, $there there"
}
has() {
  curl -sf -o /dev/null "http://$registry/v2/$1/manifests/$2" \
    -H 'Accept: application/vnd.oci.image.index.v1+json' -H 'Accept: application/vnd.oci.image.manifest.v1+json'
}

podman --version
podman pull -q --arch amd64 --tls-verify=false "$registry/team/app:1" >/dev/null
podman tag "$registry/team/app:1" "$registry/other/app:1"
{
  echo "before the push, $(claims other/app)"
  podman push -q --tls-verify=false --digestfile "$work/pushed" "$registry/other/app:1" >/dev/null
  echo "after the push, $(claims other/app)"
  echo "control, $(claims team/app)"
  if has other/app "$(cat "$work/pushed")"; then echo "control, the digest of --digestfile: there"; fi
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what RepoDigests names"
before the push, other/app: 2 digests named, 0 there
after the push, other/app: 2 digests named, 0 there
control, team/app: 2 digests named, 2 there
control, the digest of --digestfile: there
EXPECTED
