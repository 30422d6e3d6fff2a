#!/usr/bin/env bash
# dockerfile-parse 2.0.1 (PyPI): setting a base image drops `--platform` from its FROM line.
#
# Observed on 2026-11-27. Reading gives the images' names without the flag. After a new name is set,
# `FROM --platform=$BUILDPLATFORM golang:1.21 AS build` reads `FROM golang:1.22 AS build`: the stage's name stays, the
# flag is gone. A line whose image does not change is left alone.
#
# What it means: a bot that updates base images with this library turns a cross-compiling build stage into an emulated
# one, and a stage for one fixed platform into one that follows the target. Check that the number of `--platform=` in
# the file is the same before and after.
set -euo pipefail

fail() { echo "CHANGED: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dockerfile-parse==2.0.1
cat >"$work/Dockerfile" <<'DOCKERFILE'
FROM --platform=$BUILDPLATFORM golang:1.21 AS build
RUN go build -o /app .
FROM --platform=linux/arm64 debian:12
COPY --from=build /app /app
DOCKERFILE

cat >"$work/pin.py" <<'PYTHON'
import sys
from dockerfile_parse import DockerfileParser

def froms(parser):
    return [line for line in parser.content.splitlines() if line.startswith('FROM')]

parser = DockerfileParser(sys.argv[1])
print('read:', parser.parent_images)
parser.parent_images = ['golang:1.21', 'debian:12']
print('control, the same names set:', *froms(parser), sep='\n  ')
parser.parent_images = ['golang:1.22', 'debian:12.5']
print('new names set:', *froms(parser), sep='\n  ')
PYTHON
echo "dockerfile-parse 2.0.1"
"$work/venv/bin/python" "$work/pin.py" "$work/Dockerfile" | tee "$work/output"

diff "$work/output" - <<'EXPECTED' || fail "what is written to the FROM lines"
read: ['golang:1.21', 'debian:12']
control, the same names set:
  FROM --platform=$BUILDPLATFORM golang:1.21 AS build
  FROM --platform=linux/arm64 debian:12
new names set:
  FROM golang:1.22 AS build
  FROM debian:12.5
EXPECTED
