#!/usr/bin/env bash
# docker-export 1.2.0 (PyPI): a tag that is one image is linux/amd64 to it, whatever the image's configuration says.
#
# Observed on 2026-11-28. For a tag that is a list the tool looks for the platform and fails where there is none. A tag
# that is one image is taken as linux/amd64, the default, and its configuration is not looked at. A tag of a linux/arm64
# image is exported for linux/amd64 with exit 0, and `--platform linux/arm64` of the same tag fails.
#
# What it means: with tags like app:1-arm64 beside the list app:1, users of this tool get the wrong image under the name
# of the right platform, and cannot get the right one by its own tag. Name the list, which is looked at as it should be.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
server_pid=
trap 'if [ "$server_pid" ]; then kill "$server_pid" || true; wait "$server_pid" || true; fi; rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q docker-export==1.2.0
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$work/key.pem" -out "$work/cert.pem" 2>"$work/openssl.log"
export REQUESTS_CA_BUNDLE=$work/cert.pem

# The tool speaks https and always asks for a token, so the registry here is a small one with both.
cat >"$work/registry.py" <<'PYTHON'
import gzip, hashlib, http.server, io, json, ssl, sys, tarfile

OCI = 'application/vnd.oci.image.'
content = {'/v2/': ('application/json', b'{}'), '/token': ('application/json', b'{"token": "example"}')}

def add(kind, data, path=None):
    digest = 'sha256:' + hashlib.sha256(data).hexdigest()
    for name in (path, f'/v2/team/app/blobs/{digest}', f'/v2/team/app/manifests/{digest}'):
        if name:
            content[name] = (OCI + kind, data)
    return {'mediaType': OCI + kind, 'digest': digest, 'size': len(data)}

def document(kind, tag, **fields):
    data = json.dumps({'schemaVersion': 2, 'mediaType': OCI + kind, **fields}).encode()
    return add(kind, data, '/v2/team/app/manifests/' + tag)

def image(architecture):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode='w') as tar:
        tar.addfile(tarfile.TarInfo('empty'))
    platform = {'os': 'linux', 'architecture': architecture}
    config = {**platform, 'config': {}, 'history': [], 'rootfs': {
        'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(raw.getvalue()).hexdigest()]}}
    layer = add('layer.v1.tar+gzip', gzip.compress(raw.getvalue(), mtime=0))
    config = add('config.v1+json', json.dumps(config).encode())
    return {**document('manifest.v1+json', '1-' + architecture, config=config, layers=[layer]), 'platform': platform}

document('index.v1+json', '1', manifests=[image('amd64'), image('arm64')])

class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, data = content.get(self.path.split('?')[0], ('text/plain', None))
        self.send_response(200 if data is not None else 404)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(data or b'')))
        self.end_headers()
        self.wfile.write(data or b'')

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Registry)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[1] + '/cert.pem', sys.argv[1] + '/key.pem')
server.socket = tls.wrap_socket(server.socket, server_side=True)
print(f'127.0.0.1:{server.server_port}', flush=True)
server.serve_forever()
PYTHON
python3 "$work/registry.py" "$work" >"$work/address" &
server_pid=$!
for _ in $(seq 100); do
  if [ -s "$work/address" ]; then break; fi
  sleep 0.1
done
registry=$(cat "$work/address")

cat >"$work/show.py" <<'PYTHON'
import json, sys, tarfile

with tarfile.open(sys.argv[1]) as tar:
    members = {member.name.lstrip('/'): member for member in tar.getmembers()}
    config = json.load(tar.extractfile(members['manifest.json']))[0]['Config']
    print(json.load(tar.extractfile(members[config]))['architecture'])
PYTHON
export_for() { # tag $1, platform $2
  if "$work/venv/bin/docker-export" --platform "$2" "$registry/team/app:$1" "$work/out.tar" >"$work/log" 2>&1; then
    echo "the image of $(python3 "$work/show.py" "$work/out.tar")"
  else sed -n "s/^ERROR: //; s/ (considered.*//; s/ for image.*//; \$p" "$work/log"; fi
  rm -f "$work/out.tar"
}
"$work/venv/bin/docker-export" --version
{
  echo "control, the list, linux/arm64: $(export_for 1 linux/arm64)"
  echo "control, the list, linux/s390x: $(export_for 1 linux/s390x)"
  echo "the tag of the arm64 image, linux/amd64: $(export_for 1-arm64 linux/amd64)"
  echo "the tag of the arm64 image, linux/arm64: $(export_for 1-arm64 linux/arm64)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the image that is exported"
control, the list, linux/arm64: the image of arm64
control, the list, linux/s390x: Requested platform (linux/s390x) is not available
the tag of the arm64 image, linux/amd64: the image of arm64
the tag of the arm64 image, linux/arm64: Requested platform (linux/arm64) is not available for v1 manifest
EXPECTED
