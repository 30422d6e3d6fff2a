//! Scripts about the command line itself: flags, counts of arguments, subcommands, references.

use super::script::Script;

const fn script(name: &'static str, lines: &'static [&'static str]) -> Script {
    Script { name, lines }
}

#[rustfmt::skip]
pub(super) const SCRIPTS: &[Script] = &[
    script("no-subcommand", &["?"]),
    script("help", &["?--help", "?-h", "?create --help", "?annotate --help", "?inspect --help", "?push --help", "?rm --help", "?create -h"]),
    script("help-beside-errors", &["?create --help --bogus", "?create --bogus --help", "?create a b --help", "?push a b c --help"]),
    script("help-of-help", &["?help", "?help create", "?help bogus", "?create help", "?help --help"]),
    script("global-flags", &["> --config {C} manifest create --insecure {T}/l:1 {R}/app:amd64", "> --config={C} manifest inspect {T}/l:1", "inspect {T}/l:1", "> -D manifest rm {T}/l:1", "> --config {C} -l error manifest rm {T}/l:1", "> --log-level=info --config {C} manifest rm {T}/l:1"]),
    script("home-only", &["!unset DOCKER_CONFIG", "create --insecure {T}/l:1 {R}/app:amd64", "annotate {T}/l:1 {R}/app:amd64 --variant v2", "inspect {T}/l:1", "push --insecure {T}/l:1", "rm {T}/l:1"]),
    script("docker-config-empty", &["!set DOCKER_CONFIG ", "create --insecure {T}/l:1 {R}/app:amd64", "inspect {T}/l:1"]),
    script("docker-config-elsewhere", &["!set DOCKER_CONFIG {C}/", "create --insecure {T}/l:1 {R}/app:amd64", "inspect {T}/l:1", "!set DOCKER_CONFIG other", "inspect {T}/l:1", "rm {T}/l:1"]),
    script("config-of-no-interest", &["!config {\"auths\":{},\"x\":[1],\"HttpHeaders\":{\"A\":\"b\"}}", "create --insecure {T}/l:1 {R}/app:amd64", "push --insecure {T}/l:1"]),
    script("config-broken", &["!config {\"auths\":", "create --insecure {T}/l:1 {R}/app:amd64", "inspect {T}/l:1", "rm {T}/l:1"]),
    script("config-empty", &["!config ", "create --insecure {T}/l:1 {R}/app:amd64", "!config []", "inspect {T}/l:1"]),
    script("unknown-subcommand", &["bogus", "bogus create", "crate", "?--", "'' x"]),
    script("unknown-flag-of-the-group", &["--bogus", "--bogus create", "-z", "--insecure create {T}/l {R}/app:amd64"]),
    script("unknown-flags", &["create --bogus", "annotate --bogus a b", "inspect --bogus=1 a", "push a --bogus", "rm --bogus a", "create --Amend a b", "push --insecur a"]),
    script("unknown-shorthands", &["create -x a b", "create -ax a b", "push -v a", "rm -f a", "inspect -vp a", "push -pz a", "rm -"]),
    script("odd-flag-words", &["create --=x a b", "create ---amend a b", "create -=x a b", "create - a", "annotate a b --os --arch arm", "inspect -v=maybe a"]),
    script("bad-booleans", &["create --amend=maybe a b", "create --insecure= a b", "push -p=2 a", "push --purge=yes a", "inspect -v=x a", "create --amend=TRUE --insecure=nope a b"]),
    script("missing-values", &["annotate a b --os", "annotate a b --arch", "annotate --variant", "annotate a b --os-features", "annotate a b --os-version"]),
    script("values-for-flags-as-shown", &["annotate {T}/l:1 {R}/app:amd64 --os=", "annotate {T}/l:1 {R}/app:amd64 --os ''"]),
    script("wrong-counts", &["create", "create a", "annotate", "annotate a", "annotate a b c", "inspect", "inspect a b c", "push", "push a b", "rm"]),
    script("wrong-counts-with-flags", &["create --amend a", "annotate --os linux a", "inspect -v", "push --purge", "create -- --amend", "rm --"]),
    script("errors-in-order", &["create --bogus", "create --amend=x", "bogus --bogus", "annotate a --bogus b", "inspect --insecure a b c"]),
    script("flags-anywhere", &[
        "create {T}/l:1 --insecure {R}/app:amd64",
        "create {T}/l:1 {R}/app:arm64 --insecure --amend",
        "annotate {T}/l:1 --variant v8 {R}/app:arm64 --os linux",
        "annotate --arch=arm64 {T}/l:1 {R}/app:arm64",
        "inspect {T}/l:1 -v", "inspect -v true {T}/l:1", "inspect {T}/l:1 --insecure {R}/app:arm64 --verbose",
        "push {T}/l:1 --insecure --purge",
    ]),
    script("booleans-spelt-out", &[
        "create --insecure=true {T}/l:1 {R}/app:amd64", "create --insecure=1 --amend=t {T}/l:1 {R}/app:arm64",
        "create --insecure --amend=false {T}/l:1 {R}/app:armv7", "create --insecure --amend --amend=F {T}/l:1 {R}/app:armv7",
        "create --insecure -a=0 {T}/l:1 {R}/app:armv7", "create --insecure -a=T {T}/l:1 {R}/app:armv7",
        "inspect --verbose=FALSE {T}/l:1", "inspect -v=True {T}/l:1", "push --insecure=TRUE --purge=false {T}/l:1", "inspect {T}/l:1",
    ]),
    script("short-clusters", &[
        "create --insecure -a {T}/l:1 {R}/app:amd64", "create -aa --insecure {T}/l:1 {R}/app:arm64", "inspect -vv {T}/l:1",
        "inspect -av {T}/l:1", "inspect -v=false {T}/l:1", "push -p --insecure {T}/l:1", "inspect --insecure {T}/l:2",
    ]),
    script("repeated-flags", &[
        "create --insecure --insecure {T}/l:1 {R}/app:amd64",
        "annotate {T}/l:1 {R}/app:amd64 --os linux --os windows --arch arm --arch amd64 --variant a --variant b", "inspect {T}/l:1",
    ]),
    script("double-dash", &[
        "create --insecure -- {T}/l:1 {R}/app:amd64", "create --insecure {T}/l:1 -- {R}/app:arm64 --amend", "create -- --insecure {R}/app:amd64",
        "inspect -- {T}/l:1", "inspect -- {T}/l:1 -v", "-- inspect {T}/l:1", "rm -- {T}/l:1", "rm -- -x",
    ]),
    script("empty-arguments", &["create '' ''", "create {T}/l '' --insecure", "annotate '' ''", "annotate {T}/l ''", "inspect ''", "inspect '' ''", "inspect {T}/l ''", "push ''", "rm ''", "rm '' {T}/l", "create ' ' a"]),
    script("reference-errors", &[
        "create :tag a", "create a: b", "create a:b:c d", "create a@b c", "create a@sha256:12 c", "create a//b c", "create -- -a/b c",
        "create a..b c", "create a__b___c d", "create {R} a//b", "create {R}/ a", "create a:'b c' d", "create http://{R}/a b", "create a/b/ c", "create a:.x b", "create é b", "create _a/b c", "create a_/b c",
    ]),
    script("reference-errors-of-sources", &[
        "create --insecure {T}/l a:b:c", "create --insecure {T}/l {R}/Foo", "create --insecure {T}/l {R}/app:amd64 a//b", "create --insecure {T}/l {R}/app@sha256:00", "inspect {T}/l",
    ]),
    script("reference-errors-of-others", &[
        "annotate a:b:c d", "annotate a b:c:d", "annotate Foo b", "annotate a Foo", "annotate {T}/l {R}/Foo --os bogus",
        "inspect a:b:c", "inspect a b:c:d", "inspect b:c:d a", "inspect Foo", "inspect a Foo", "push a:b:c", "push Foo", "rm a:b:c", "rm Foo", "rm Foo a:b:c x//y {T}/l",
    ]),
    script("uppercase", &["create Foo a", "create foo/Bar a", "create {R}/Foo a", "create Foo:1 a", "create FOO/bar a//b", "create docker.io/Foo a", "create localhost/Foo a", "inspect {R}/app:AMD64 --insecure", "create foo:5000/Bar a", "create Foo.bar/x y --insecure=x"]),
    script("hex-names", &["create {H:app:amd64} a", "inspect {H:app:amd64}", "push {H:app:amd64}", "rm {H:app:amd64}", "annotate {H:app:amd64} a", "annotate a {H:app:amd64}", "push sha256:{H:app:amd64}", "rm library/{H:app:amd64}"]),
    script("long-names", &["rm {x:247}", "rm {x:248}", "rm {x:255}", "rm {x:256}", "rm h.x/{x:251}", "rm h.x/{x:252}", "rm h.x/{x:255}", "rm h.x/{x:256}:1", "create h.x/{x:256} a", "rm h.x/a/{x:253}", "rm h.x/a/{x:254}", "rm a:{x:128}", "rm a:{x:129}", "create a:{x:129} b", "rm h.x/{x:230}:{x:128}"]),
    script("names-normalised", &["rm alpine", "rm docker.io/alpine", "rm index.docker.io/alpine:3", "rm docker.io/library/alpine", "rm a/b", "rm localhost/a", "rm localhost:1/a", "rm a.b/c", "rm a:1/c", "rm A/c", "rm [::1]/a", "rm [::1]:5000/a:b", "rm [fe80::1%25eth0]/a", "rm a@{D:app:amd64}", "rm a:t@{D:app:amd64}", "rm index.docker.io/a/b", "rm docker.io/a_b", "rm registry-1.docker.io/x", "rm a@sha512:00", "rm a@md5:00000000000000000000000000000000", "rm a@SHA256:{H:app:amd64}"]),
    script("rm-several", &[
        "create --insecure {T}/a {R}/app:amd64", "create --insecure {T}/b {R}/app:amd64", "create --insecure {T}/c {R}/app:amd64",
        "rm {T}/a {T}/missing {T}/b {T}/gone:1", "rm {T}/c {T}/c", "rm {T}/c",
    ]),
    script("rm-then-again", &["create --insecure {T}/l {R}/app:amd64", "rm {T}/l", "rm {T}/l", "create --insecure {T}/l {R}/app:arm64", "inspect {T}/l", "rm {T}/l:latest"]),
];
