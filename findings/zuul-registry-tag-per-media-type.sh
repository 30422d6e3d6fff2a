#!/usr/bin/env bash
# zuul-registry 1.3.0 (PyPI): a tag keeps one manifest per media type, so a new index does not replace an old list.
#
# Observed on 2026-11-27. The registry stores a tag as a table from media type to digest. It answers with the first type
# that the client accepts, in an order of its own: Docker list, OCI index, Docker image, OCI image. A tag that once was
# a Docker list answers with that list for ever, although the later PUT of an OCI index is answered with 201.
#
# What it means: after a change from Docker to OCI media types (or from a list to one image) users still pull the old
# list. Compare the digest that the tag serves with the one pushed, with all media types in Accept; or use a new tag.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
server_pid=
trap 'if [ "$server_pid" ]; then kill "$server_pid" || true; wait "$server_pid" || true; fi; rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q zuul-registry==1.3.0
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/registry.yml" <<YAML
registry:
  address: 127.0.0.1
  port: $port
  public-url: http://127.0.0.1:$port
  secret: not-used-here
  users: [{name: tester, pass: tester, access: write}]
  storage: {driver: filesystem, root: $work/data}
YAML
mkdir "$work/data"
"$work/venv/bin/zuul-registry" -c "$work/registry.yml" >"$work/registry.log" 2>&1 &
server_pid=$!
for _ in $(seq 100); do
  if curl -s -o /dev/null "http://127.0.0.1:$port/v2/"; then break; fi
  sleep 0.1
done

cat >"$work/tags.py" <<'PYTHON'
import hashlib, json, sys, urllib.request

base = sys.argv[1]
LIST, INDEX, DOCKER_IMAGE, IMAGE = ALL = (
    'application/vnd.docker.distribution.manifest.list.v2+json', 'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.oci.image.manifest.v1+json')

def send(method, path, data=None, **headers):
    headers = {name.replace('_', '-'): value for name, value in headers.items()}
    return urllib.request.urlopen(urllib.request.Request(base + path, data, headers, method=method))

login = 'Basic dGVzdGVyOnRlc3Rlcg=='  # tester:tester
token = json.load(send('GET', '/auth/token?scope=repository:app:pull,push', Authorization=login))['token']
token = 'Bearer ' + token

def put(tag, kind, **fields):
    data = json.dumps({'schemaVersion': 2, 'mediaType': kind, **fields}).encode()
    answer = send('PUT', '/v2/app/manifests/' + tag, data, Authorization=token, Content_Type=kind)
    assert answer.status == 201, answer.status
    return 'sha256:' + hashlib.sha256(data).hexdigest()

def get(tag, *kinds):
    answer = send('GET', '/v2/app/manifests/' + tag, Authorization=token, Accept=', '.join(kinds))
    return answer.headers['Docker-Content-Digest']

def entry(kind, text):
    config = text.encode()
    session = send('POST', '/v2/app/blobs/uploads/', b'', Authorization=token).headers['Location']
    digest = 'sha256:' + hashlib.sha256(config).hexdigest()
    send('PUT', session + '?digest=' + digest, config, Authorization=token, Content_Type='application/octet-stream')
    config = {'mediaType': 'application/vnd.oci.image.config.v1+json', 'digest': digest, 'size': len(config)}
    child = {'config': config, 'layers': []}
    data = json.dumps({'schemaVersion': 2, 'mediaType': kind, **child}).encode()
    name = 'sha256:' + hashlib.sha256(data).hexdigest()
    put(name, kind, **child)
    return {'mediaType': kind, 'digest': name, 'size': len(data), 'platform': json.loads(text)}

old = put('latest', LIST, manifests=[entry(DOCKER_IMAGE, '{"os":"linux","architecture":"amd64"}')])
second = put('latest', LIST, manifests=[entry(DOCKER_IMAGE, '{"os":"linux","architecture":"arm64"}')])
print('control, a list over a list: the new one is served:', get('latest', *ALL) == second != old)
index = put('latest', INDEX, manifests=[entry(IMAGE, '{"os":"linux","architecture":"riscv64"}')])
print('an index over a list, 201: what is served is', {second: 'the old list', index: 'the index'}[get('latest', *ALL)])
print('asked for an index alone: the new index is served:', get('latest', INDEX) == index)
PYTHON
echo "zuul-registry 1.3.0"
python3 "$work/tags.py" "http://127.0.0.1:$port" | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what the tag serves"
control, a list over a list: the new one is served: True
an index over a list, 201: what is served is the old list
asked for an index alone: the new index is served: True
EXPECTED
