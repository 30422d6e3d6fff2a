#!/usr/bin/env bash
# @sigstore/oci 0.7.2 (npm): the referrers tag names a referrer with a size that is too small.
#
# Observed on 2026-11-28. docker-registry 2.8.2 has no referrers API, so the library writes the index under the tag
# that is made from the image's digest. The size in it is the number of characters of the referrer's manifest, and a
# manifest with an annotation in German has more bytes than characters. Nothing fails, and the digest is right.
#
# What it means: clients that hold a manifest to the size in its descriptor cannot read that attestation. The image and
# referrers with ASCII annotations are not affected. Write such annotations in ASCII, or correct the index afterwards.
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
const digest = (bytes) => 'sha256:' + createHash('sha256').update(bytes).digest('hex');

async function send(path, method, body, type) {
  const url = new URL(path, `http://${registry}/v2/team/app/`);
  const response = await fetch(url, { method, body, headers: { 'Content-Type': type } });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response;
}

async function read(reference, type) {
  const url = `http://${registry}/v2/team/app/manifests/${reference}`;
  return Buffer.from(await (await fetch(url, { headers: { Accept: OCI + type } })).arrayBuffer());
}

const config = Buffer.from('{"os":"linux","architecture":"amd64"}');
const upload = new URL((await send('blobs/uploads/', 'POST')).headers.get('Location'));
upload.searchParams.set('digest', digest(config));
await send(upload.href, 'PUT', config, 'application/octet-stream');
const image = JSON.stringify({ schemaVersion: 2, mediaType: OCI + 'manifest.v1+json', layers: [],
  config: { mediaType: OCI + 'config.v1+json', digest: digest(config), size: config.length } });
await send('manifests/1.0', 'PUT', image, OCI + 'manifest.v1+json');

for (const title of ['Pruefbericht', 'Prüfbericht']) {
  const { digest: attached } = await attachArtifactToImage({
    imageName: `${registry}/team/app`, imageDigest: digest(image), artifact: Buffer.from('{"payload":""}'),
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', annotations: { 'org.opencontainers.image.title': title } });
  const referrers = JSON.parse(await read(digest(image).replace(':', '-'), 'index.v1+json'));
  const named = referrers.manifests.find((manifest) => manifest.digest === attached);
  const served = await read(attached, 'manifest.v1+json');
  console.log(`${title}: digest ${digest(served) === attached ? 'right' : 'wrong'}, size in the referrers tag`,
    named.size === served.length ? 'right' : `${served.length - named.size} less than the manifest has bytes`);
}
JAVASCRIPT
echo "@sigstore/oci 0.7.2, promise-retry 2.0.1, docker-registry 2.8.2+ds1-1, node $(node --version)"
(cd "$work" && node attach.mjs "$registry") | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "the sizes that it writes"
Pruefbericht: digest right, size in the referrers tag right
Prüfbericht: digest right, size in the referrers tag 1 less than the manifest has bytes
EXPECTED
