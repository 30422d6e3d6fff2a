#!/usr/bin/env bash
# @sigstore/oci 0.7.2 (npm): with credentials it cannot attach anything in a registry that asks for none.
#
# Observed on 2026-11-28. To get a challenge the library begins a blob upload without the credentials, and it goes on
# only after a 200 or a challenge. A registry without a login answers 202, which begins the upload: the library reports
# an invalid challenge, attaches nothing, and leaves the upload behind. Without credentials the same call works.
#
# What it means: a registry that runs beside a CI job (a service container, a local mirror) needs no login, but
# config.json may have one for its name, and then attestations do not get there. Do not pass credentials for it.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
registry_pid=
trap 'if [ "$registry_pid" ]; then kill "$registry_pid" || true; wait "$registry_pid" || true; fi; rm -rf "$work"' EXIT

(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download docker-registry=2.8.2+ds1-1)
dpkg -x "$work"/docker-registry_*.deb "$work/root"
printf '%s\n' 'version: 0.1' 'log: {level: info}' 'http: {addr: "127.0.0.1:0"}' \
  "storage: {filesystem: {rootdirectory: $work/data}}" >"$work/registry.yml"
"$work/root/usr/bin/docker-registry" serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry_pid=$!
registry=
for _ in $(seq 100); do
  registry=$(sed -n 's/.*msg="listening on \([0-9.:]*\)".*/\1/p' "$work/registry.log")
  if [ -n "$registry" ]; then break; fi
  sleep 0.1
done
[ -n "$registry" ] || { cat "$work/registry.log" >&2; exit 1; }

# The library loads promise-retry, which it does not name among its dependencies.
npm install --silent --no-audit --no-fund --prefix "$work" @sigstore/oci@0.7.2 promise-retry@2.0.1 >"$work/npm.log" 2>&1 ||
  { cat "$work/npm.log" >&2; exit 1; }

cat >"$work/attach.mjs" <<'JAVASCRIPT'
import { createHash } from 'node:crypto';
import { attachArtifactToImage } from '@sigstore/oci';

const registry = process.argv[2];
const OCI = 'application/vnd.oci.image.';
const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI + 'index.v1+json', manifests: [] });
const pushed = await fetch(`http://${registry}/v2/team/app/manifests/1.0`,
  { method: 'PUT', body: index, headers: { 'Content-Type': OCI + 'index.v1+json' } });
if (pushed.status !== 201) throw new Error(`PUT of the index: ${pushed.status}`);

const options = { imageName: `${registry}/team/app`, artifact: Buffer.from('{"payload":""}'),
  imageDigest: 'sha256:' + createHash('sha256').update(index).digest('hex'),
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' };
for (const [how, credentials] of [['with', { username: 'ann', password: 'example' }], ['without', undefined]]) {
  const result = await attachArtifactToImage({ ...options, credentials }).then(
    () => 'attached', (error) => `${error.message}: ${error.cause.message.trim()}`);
  console.log(`${how} credentials: ${result}`);
}
JAVASCRIPT
echo "@sigstore/oci 0.7.2, promise-retry 2.0.1, docker-registry 2.8.2+ds1-1, node $(node --version)"
{
  (cd "$work" && node attach.mjs "$registry")
  echo "uploads that are left: $(find "$work/data/docker/registry/v2/repositories/team/app/_uploads" -mindepth 1 -maxdepth 1 | wc -l)"
} | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what it does in a registry without a login"
with credentials: Error uploading artifact to container registry: Invalid challenge:
without credentials: attached
uploads that are left: 1
EXPECTED
