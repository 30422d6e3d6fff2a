#!/usr/bin/env python3
"""Helpers of scripts/dist-test that need more than a shell.

    registry.py dns NAME        answers every question of type A for NAME with 127.0.0.1, on port 53 of 127.0.0.1
    registry.py seed HOST REPO  pushes REPO:amd64 and REPO:arm64, images without layers, over plain HTTP
"""
import hashlib
import json
import socket
import sys
import urllib.request


def dns(name):
    wanted = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    while True:
        query, client = server.recvfrom(512)
        question = query[12 : 12 + len(wanted) + 4]
        is_ours = question[: len(wanted)].lower() == wanted
        has_answer = is_ours and question[len(wanted) :] == b"\0\1\0\1"
        # RFC 1035, section 4.1: a response, recursion available, "no such name" for every other name.
        flags = b"\x81\x80" if is_ours else b"\x81\x83"
        header = query[:2] + flags + b"\0\1" + (b"\0\1" if has_answer else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("127.0.0.1") if has_answer else b""
        server.sendto(header + question + answer, client)


def request(method, url, body, media_type):
    call = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": media_type})
    with urllib.request.urlopen(call) as response:
        return response.headers


def seed(host, repository):
    base = f"http://{host}/v2/{repository}"
    for architecture in ["amd64", "arm64"]:
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}}
        config = json.dumps(config).encode()
        digest = "sha256:" + hashlib.sha256(config).hexdigest()
        upload = request("POST", f"{base}/blobs/uploads/", b"", "application/octet-stream")["Location"]
        mark = "&" if "?" in upload else "?"
        request("PUT", f"{upload}{mark}digest={digest}", config, "application/octet-stream")
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(config),
                "digest": digest,
            },
            "layers": [],
        }
        request("PUT", f"{base}/manifests/{architecture}", json.dumps(manifest).encode(), manifest["mediaType"])


{"dns": dns, "seed": seed}[sys.argv[1]](*sys.argv[2:])
