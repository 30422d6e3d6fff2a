#!/usr/bin/env bash
# appendlayer 2.2 (PyPI) and docker-registry 2.8.2 (Debian): adding a layer to a multi-platform tag leaves linux/amd64.
#
# Observed on 2026-11-27. appendlayer accepts only a single Docker image. For the tag of a Docker manifest list this
# registry answers with the list's linux/amd64 image, so the layer is added to that one. The result replaces the list,
# exit 0, and it mixes types: a Docker manifest with an OCI config and an OCI layer. An OCI index is refused (404).
#
# What it means: on a linux/arm64 machine the tag now brings an amd64 image. Append to each image under a tag of its own
# and make the list anew; after such a step check that the tag is still a list.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
registry_pid=
trap 'if [ "$registry_pid" ]; then kill "$registry_pid" || true; wait "$registry_pid" || true; fi; rm -rf "$work"' EXIT

debian() { # downloads packages (name=version) and unpacks them below $work/root
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$@")
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; rm "$package"; done
}

debian docker-registry=2.8.2+ds1-1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q appendlayer==2.2
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 1 \
  -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>"$work/openssl.log"
export SSL_CERT_FILE=$work/cert.pem # appendlayer speaks HTTPS only, and needs relative upload addresses
cat >"$work/registry.yml" <<YAML
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: $work/data}}
http: {addr: "127.0.0.1:0", relativeurls: true, tls: {certificate: $work/cert.pem, key: $work/key.pem}}
YAML
"$work/root/usr/bin/docker-registry" serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry_pid=$!
for _ in $(seq 100); do
  registry=$(sed -n 's/.*msg="listening on \([0-9.:]*\), tls".*/\1/p' "$work/registry.log")
  if [ -n "$registry" ]; then break; fi
  sleep 0.1
done

cat >"$work/publish.py" <<'PYTHON'
import hashlib, json, sys, urllib.parse, urllib.request

repository = f'https://{sys.argv[1]}/v2/team/app'
DOCKER = 'application/vnd.docker.'
IMAGE, LIST = DOCKER + 'distribution.manifest.v2+json', DOCKER + 'distribution.manifest.list.v2+json'

def send(method, path, data, kind='application/octet-stream'):
    url = urllib.parse.urljoin(repository + '/', path)
    return urllib.request.urlopen(urllib.request.Request(url, data, {'Content-Type': kind}, method=method)).headers

def put(kind, document, reference=None):
    data = json.dumps({'schemaVersion': 2, 'mediaType': kind, **document}).encode()
    digest = 'sha256:' + hashlib.sha256(data).hexdigest()
    send('PUT', 'manifests/' + (reference or digest), data, kind)
    return {'mediaType': kind, 'digest': digest, 'size': len(data)}

def image(platform, tag=None):
    config = json.dumps({**platform, 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': []}}).encode()
    digest = 'sha256:' + hashlib.sha256(config).hexdigest()
    send('PUT', send('POST', 'blobs/uploads/', b'')['Location'] + '&digest=' + digest, config)
    config = {'mediaType': DOCKER + 'container.image.v1+json', 'digest': digest, 'size': len(config)}
    return {**put(IMAGE, {'config': config, 'layers': []}, tag), 'platform': platform}

amd64, arm64 = ({'os': 'linux', 'architecture': name} for name in ('amd64', 'arm64'))
image(arm64, 'single')
put(LIST, {'manifests': [image(amd64), image(arm64)]}, 'multi')
PYTHON
python3 "$work/publish.py" "$registry"

served() { # what tag $1 is, and for which machine
  curl -s --cacert "$work/cert.pem" "https://$registry/v2/team/app/manifests/$1" \
    -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json' \
    -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' >"$work/manifest"
  if grep -q '"manifests"' "$work/manifest"; then
    echo "list of $(grep -o '"architecture": "[a-z0-9]*"' "$work/manifest" | cut -d '"' -f 4 | xargs)"
  else
    config=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["config"]["digest"])' <"$work/manifest")
    curl -s --cacert "$work/cert.pem" "https://$registry/v2/team/app/blobs/$config" | python3 -c 'import json, sys
config = json.load(sys.stdin)
print("image for", config["architecture"], "with", len(config["rootfs"]["diff_ids"]), "layers")'
  fi
}
append() { tar -c -C "$work" registry.yml | "$work/venv/bin/appendlayer" "$registry" team/app "$1" "$1" 2>/dev/null; }

echo "appendlayer 2.2, docker-registry 2.8.2+ds1-1"
for tag in single multi; do
  echo "$tag before: $(served $tag)"
  append $tag
  echo "$tag after, exit $?: $(served $tag)"
done | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what is left under the tag"
single before: image for arm64 with 0 layers
single after, exit 0: image for arm64 with 1 layers
multi before: list of amd64 arm64
multi after, exit 0: image for amd64 with 1 layers
EXPECTED
