//! The examples in the help texts. They show every flag of a command at least once; a test checks it.

pub(super) const OVERVIEW: &str = "\
{name} create registry.example.com/app:1 registry.example.com/app:1-amd64 registry.example.com/app:1-arm64
{name} push --purge registry.example.com/app:1
{name} inspect registry.example.com/app:1";

pub(super) const CREATE: &str = "\
{name} create registry.example.com/app:1 registry.example.com/app:1-amd64 registry.example.com/app:1-arm64
{name} create --amend registry.example.com/app:1 registry.example.com/app:1-s390x
{name} create --amend --offline registry.example.com/app:1 registry.example.com/app:1-riscv64
{name} create --replace registry.example.com/app:1 registry.example.com/app:1     # a pushed list, to edit it
{name} create --platform linux/amd64,linux/arm64/v8 registry.example.com/app:1 alpine:3 --attestations drop
{name} create --from digests --require linux/amd64,linux/arm64 registry.example.com/app:1     # files that builds wrote
{name} create --from amd64.json --from arm64.json --target web --repository registry.example.com/web app:1
{name} create --empty registry.example.com/app:1
{name} create --annotation index:org.example.tier=base --subject app:base app:1 app:1-amd64
{name} create --push --prefer-index=false registry.example.com/app:1 registry.example.com/app:1-amd64
{name} create --push --purge registry.example.com/app:1 registry.example.com/app:1-amd64     # one step, no draft
{name} create --push --type oci --tag 1.0,latest --exact --strict --require linux/amd64 app:1 app:1-amd64
{name} create --push --dry-run --verbose --referrers all --referrer-type application/spdx+json app:1 app:1-amd64
{name} create --push --quiet --format github --digest-file digest.txt --metadata-file pushed.json app:1 app:1-amd64
{name} create --format json registry.example.com/app:1 other.example.com/app:1
{name} create --insecure --jobs 4 --retries 5 --timeout 2m localhost:5000/app:1 localhost:5000/app:1-amd64
{name} create --username me --password-stdin registry.example.com/app:1 registry.example.com/app:1-amd64 <password.txt
{name} create --push --by-digest --verify registry.example.com/app:1 registry.example.com/app:1-amd64
{name} create --push registry.example.com/app:1 oci:./amd64:v1 oci-archive:./arm64.tar     # from OCI layouts
{name} create --push --to oci-archive:./app.tar registry.example.com/app:1 oci:./amd64:v1 oci:./arm64:v1     \
# into one";

pub(super) const COPY: &str = "\
{name} copy registry.example.com/app:1.2.3-rc1 registry.example.com/app:1.2.3
{name} copy --verbose alpine:3 registry.example.com/mirror/alpine
{name} copy registry.example.com/app:1 oci-layout://build/app
{name} copy --dry-run oci-archive:./app.tar registry.example.com/app:1
{name} copy --referrers all --verify registry.example.com/app:1 oci-archive:./app.tar:1
{name} copy --referrer-type application/spdx+json registry.example.com/app:1 oci:./sboms:1
{name} copy --platform linux/arm64 --attestations drop registry.example.com/app:1 oci:./arm64:1
{name} copy --format json --jobs 4 --retries 5 --timeout 2m ocidir://app:1 registry.example.com/app
{name} copy --insecure --quiet localhost:5000/app:1 localhost:5001/app:1
{name} copy --username me --password-stdin docker-archive:./saved.tar registry.example.com/app:1 <password.txt";

pub(super) const ADD: &str = "\
{name} add registry.example.com/app:1 registry.example.com/app:1-riscv64
{name} add --platform linux/amd64,linux/arm64 --attestations drop registry.example.com/app:1 other.example.com/app:1
{name} add --os linux --arch arm --variant v7 registry.example.com/app:1 registry.example.com/firmware:1
{name} add --os windows --os-version 10.0.20348.1 --os-features win32k registry.example.com/app:1 app:1-windows
{name} add --features sse4 --annotation org.example.tier=base --unset-annotation org.example.old app:1 app:1-amd64
{name} add --artifact-type application/vnd.example.chart registry.example.com/app:1 registry.example.com/chart:1
{name} add --artifact notes.txt --artifact-title NOTES --artifact-media-type text/plain --artifact-type text/plain app:1
{name} add --force --os templeos --arch holyc registry.example.com/app:1 registry.example.com/app:1-temple
{name} add --from digest.txt --repository registry.example.com/build --require linux/amd64 registry.example.com/app:1
{name} add --from bake.json --target web registry.example.com/app:1
{name} add --push --type oci --tag 1.0,latest --exact --strict --require linux/amd64 app:1 app:1-riscv64
{name} add --push --dry-run --verbose --referrers all --referrer-type application/spdx+json app:1 app:1-riscv64
{name} add --push --quiet --format github --digest-file digest.txt --metadata-file pushed.json app:1 app:1-riscv64
{name} add --offline registry.example.com/app:1 registry.example.com/app:1-s390x
{name} add --shared --run 42 --key fips --format json registry.example.com/app:1 registry.example.com/app@sha256:…
{name} add --shared --require linux/amd64,linux/arm64 --if-complete --wait 1m --purge -t latest app:1 app@sha256:…
{name} add --shared --require linux/amd64 --exact --strict --if-complete --fresh --only-from list.txt app:1 app:2
{name} add --shared --require linux/amd64 --if-complete --type oci --verbose --dry-run app:1 app:2
{name} add --shared --require linux/amd64 --if-complete --quiet --digest-file d --metadata-file m.json app:1 app:2
{name} add --insecure --jobs 4 --retries 5 --timeout 2m localhost:5000/app:1 localhost:5000/app:1-amd64
{name} add --username me --password-stdin registry.example.com/app:1 registry.example.com/app:1-amd64 <password.txt
{name} add --push --by-digest --verify registry.example.com/app:1 registry.example.com/app:1-s390x
{name} add --push --to oci:./app registry.example.com/app:1 registry.example.com/app:1-s390x";

pub(super) const ANNOTATE: &str = "\
{name} annotate --os linux --arch arm64 --variant v8 registry.example.com/app:1 registry.example.com/app:1-arm64
{name} annotate --os-version 10.0.20348.1 --os-features win32k registry.example.com/app:1 app:1-windows
{name} annotate --arch armv7l --features neon registry.example.com/app:1 registry.example.com/app:1-armhf
{name} annotate --force --os templeos --arch holyc registry.example.com/app:1 registry.example.com/app:1-temple
{name} annotate registry.example.com/app:1 --annotation org.opencontainers.image.version=1     # the list itself
{name} annotate app:1 --annotation 'manifest-descriptor[linux/arm64]:org.example.tier=base'
{name} annotate app:1 --subject app:base
{name} annotate app:1 --unset-subject
{name} annotate app:1 --artifact-type application/vnd.example.app --unset-annotation org.example.old
{name} annotate --push --type oci --tag 1.0,latest --exact --strict --require linux/amd64 app:1 linux/arm64 --variant v8
{name} annotate --push --dry-run --verbose --referrers all --referrer-type application/spdx+json app:1 linux/arm64
{name} annotate --push --quiet --format github --digest-file d.txt --metadata-file m.json app:1 linux/arm64 --variant v8
{name} annotate --push --insecure --jobs 4 --retries 5 localhost:5000/app:1 --annotation org.example.tier=base
{name} annotate --push --username me --password-stdin registry.example.com/app:1 linux/arm64 --variant v8 <password.txt
{name} annotate --timeout 30s registry.example.com/app:1 registry.example.com/app:1-arm64 --variant v8
{name} annotate --push --by-digest --verify --variant v8 registry.example.com/app:1 registry.example.com/app:1-arm64
{name} annotate --push --to oci:./app --variant v8 registry.example.com/app:1 registry.example.com/app:1-arm64";

pub(super) const INSPECT: &str = "\
{name} inspect registry.example.com/app:1
{name} inspect --verbose registry.example.com/app:1 registry.example.com/app:1-arm64
{name} inspect --remote --raw registry.example.com/app:1 | sha256sum
{name} inspect --platform linux/arm64 --format tree registry.example.com/app:1
{name} inspect --referrers --format tree registry.example.com/app:1
{name} inspect --check --format table registry.example.com/app:1
{name} inspect --format tree oci-layout://build/app:1
{name} inspect --local --format json registry.example.com/app:1
{name} inspect --format '{{.Manifest.Digest}}' registry.example.com/app:1
{name} inspect --shared --run 42 --require linux/amd64,linux/arm64 registry.example.com/app:1
{name} inspect --insecure --jobs 4 --retries 5 --timeout 30s localhost:5000/app:1
{name} inspect --username me --password-stdin registry.example.com/app:1 <password.txt";

pub(super) const PUSH: &str = "\
{name} push registry.example.com/app:1
{name} push --purge registry.example.com/app:1
{name} push --type oci --tag 1.0,latest registry.example.com/app:1
{name} push -t registry.example.com/app:latest,mirror.example.org/app:1 registry.example.com/app:1
{name} push --require linux/amd64,linux/arm64 --exact --strict registry.example.com/app:1
{name} push --dry-run --verbose registry.example.com/app:1
{name} push --by-digest --verify registry.example.com/app:1
{name} push --annotation org.example.tier=base --subject registry.example.com/app:base registry.example.com/app:1
{name} push --prefer-index=false registry.example.com/app:1
{name} push --to oci-layout://build/app registry.example.com/app:1
{name} push --referrers all --referrer-type application/spdx+json registry.example.com/app:1
{name} push --quiet --format json --digest-file digest.txt --metadata-file pushed.json registry.example.com/app:1
{name} push --shared --run 42 --require linux/amd64,linux/arm64 --wait 30m --purge registry.example.com/app:1
{name} push --shared --require linux/amd64,linux/arm64 --if-complete --entry sha256:… registry.example.com/app:1
{name} push --shared --fresh --only-from entries.txt registry.example.com/app:1
{name} push --insecure --jobs 4 --retries 5 --timeout 10m localhost:5000/app:1
{name} push --username me --password-stdin registry.example.com/app:1 <password.txt";

pub(super) const RM: &str = "\
{name} rm registry.example.com/app:1 registry.example.com/app:2
{name} rm --all --timeout 30s";

pub(super) const REMOVE: &str = "\
{name} remove registry.example.com/app:1 registry.example.com/app:1-s390x
{name} remove registry.example.com/app:1 linux/arm/v7 windows/amd64
{name} remove --push --type oci --tag 1.0,latest --exact --strict --require linux/amd64 app:1 linux/s390x
{name} remove --push --dry-run --verbose --referrers all --referrer-type application/spdx+json app:1 linux/s390x
{name} remove --push --quiet --format github --digest-file digest.txt --metadata-file pushed.json app:1 linux/s390x
{name} remove --push --insecure --jobs 4 --retries 5 localhost:5000/app:1 linux/s390x
{name} remove --push --username me --password-stdin registry.example.com/app:1 linux/s390x <password.txt
{name} remove --timeout 30s registry.example.com/app:1 sha256:1f8d42c
{name} remove --push --by-digest --verify registry.example.com/app:1 linux/s390x
{name} remove --push --to oci:./app registry.example.com/app:1 linux/s390x
{name} remove --shared --run 42 registry.example.com/app:1 linux/arm64
{name} remove --shared --insecure --jobs 1 --retries 5 localhost:5000/app:1 linux/arm64
{name} remove --shared --username me --password-stdin registry.example.com/app:1 linux/arm64 <password.txt";

pub(super) const LS: &str = "\
{name} ls
{name} ls --quiet
{name} ls --format json
{name} ls --shared registry.example.com/app
{name} ls --shared --insecure --jobs 4 --retries 5 --timeout 2m localhost:5000/app:1
{name} ls --shared --username me --password-stdin registry.example.com/app <password.txt";

pub(super) const EXISTS: &str = "\
{name} exists registry.example.com/app:1 || {name} create registry.example.com/app:1 registry.example.com/app:1-amd64";

pub(super) const PRUNE: &str = "\
{name} prune --older-than 30d --dry-run
{name} prune --force --older-than 12h --timeout 5s
{name} prune --shared registry.example.com/app
{name} prune --shared --run 42 registry.example.com/app
{name} prune --shared --all --insecure --jobs 1 --retries 5 localhost:5000/app
{name} prune --shared --username me --password-stdin registry.example.com/app <password.txt";

pub(super) const APPLY: &str = "\
{name} apply --file lists.yaml
{name} apply -f - --ignore-missing --draft <lists.yaml
{name} apply --platforms linux/amd64,linux/arm/v7 --template app:ARCHVARIANT --target app:1
{name} apply --from digests --target registry.example.com/app:1
{name} apply --platforms linux/amd64,linux/arm64 --template oci:./build-ARCH:v1 --target registry.example.com/app:1
{name} apply -f lists.yaml --from bake.json --from-target web --repository registry.example.com/web
{name} apply -f lists.yaml --type oci --tag latest --annotation org.example.tier=base --attestations drop
{name} apply -f lists.yaml --by-digest --verify
{name} apply -f lists.yaml --subject registry.example.com/app:base --prefer-index=false
{name} apply -f lists.yaml --to oci-archive:./lists.tar
{name} apply -f lists.yaml --referrers keep --referrer-type application/vnd.cncf.notary.signature
{name} apply -f lists.yaml --require linux/amd64,linux/arm64 --exact --strict --dry-run --verbose
{name} apply -f lists.yaml --quiet --format json --digest-file digest.txt --metadata-file pushed.json
{name} apply -f lists.yaml --insecure --jobs 4 --retries 5 --timeout 10m
{name} apply -f lists.yaml --username me --password-stdin <password.txt";

pub(super) const EXPORT: &str = "\
{name} export registry.example.com/app:1 >lists.yaml
{name} export oci-archive:./app.tar >lists.yaml
{name} export --local --output lists.yaml registry.example.com/app:1
{name} export --remote --insecure --jobs 4 --retries 5 --timeout 30s localhost:5000/app:1
{name} export --username me --password-stdin registry.example.com/app:1 <password.txt";

pub(super) const PLATFORMS: &str = "\
{name} platforms alpine:3
{name} platforms oci-archive:./app.tar
{name} platforms --format json registry.example.com/app:1
{name} platforms --insecure --jobs 4 --retries 5 --timeout 30s localhost:5000/app:1
{name} platforms --username me --password-stdin registry.example.com/app:1 <password.txt";

pub(super) const CHECK: &str = "\
{name} check registry.example.com/team/scratch     # and, for mounts, team/scratch-mount
{name} check registry.example.com                  # in docker-manifest-check there
{name} check --keep --format json registry.example.com/team/scratch
{name} check --insecure --jobs 4 --retries 0 --timeout 30s localhost:5000
{name} check --username me --password-stdin registry.example.com/team/scratch <password.txt";

pub(super) const SHELL_INIT: &str = "\
eval \"$(docker-manifest shell-init bash)\"     # in ~/.bashrc
eval \"$(docker-manifest shell-init zsh)\"      # in ~/.zshrc
docker-manifest shell-init fish | source      # in ~/.config/fish/config.fish
eval \"$(docker-manifest shell-init sh)\"       # in a script for dash, ksh or BusyBox";

pub(super) const SHIM: &str = "\
{name} shim install
{name} shim install --dir /usr/local/sbin
{name} shim status --format json
{name} shim remove";

pub(super) const COMPLETION: &str = "\
{name} completion bash >~/.local/share/bash-completion/completions/docker-manifest
{name} completion zsh >~/.zfunc/_docker-manifest     # with fpath+=~/.zfunc before compinit in ~/.zshrc
{name} completion fish >~/.config/fish/completions/docker-manifest.fish";

pub(super) const MAN: &str = "\
{name} man create | man -l -
{name} man --output ~/.local/share/man/man1
{name} man --markdown >reference.md";

pub(super) const VERSION: &str = "\
{name} version
{name} version --format json";
