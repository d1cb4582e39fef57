"""A registry on loopback, and images for it that are made here: layers are lists of what `tarfile` writes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOKEN = "letmein"  # noqa: S105 - a test's
_INDEX, _MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _may_have_containers() -> bool:
    """Whether this machine, perhaps itself a container, lets namespaces be made and an overlay be mounted in them, and has the tools."""
    overlay = "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/m && mount -t overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w,userxattr o /mnt/m"
    made = subprocess.run(["unshare", "-Urm", "sh", "-c", overlay], capture_output=True, check=False)
    return made.returncode == 0 and all(map(shutil.which, ("busybox", "mksquashfs", "unsquashfs")))


needs_containers = pytest.mark.skipif(
    not _may_have_containers(), reason="this machine lets nobody make namespaces and mount overlays in them, or has no squashfs-tools and busybox-static")


def entry(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a layer: a file, or what `type=` says."""
    member = tarfile.TarInfo(name)
    member.mode, member.size = 0o755, len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def layer(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A packed layer."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for member, data in entries:
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(file.getvalue(), 1)


class Registry:
    """Serves `blobs` by digest and `tags` by name; `asked` are the paths of requests in order."""

    def __init__(self, port: int) -> None:
        self.place = f"localhost:{port}"
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.asked: list[str] = []

    def put(self, data: bytes) -> str:
        """Keep a blob; its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return digest

    def push(self, name: str, layers: Sequence[bytes], config: dict[str, object]) -> str:
        """An image under `name` (NAME:TAG), one of several architectures; the digest of its manifest."""
        about = json.dumps({"architecture": _ARCHITECTURE, "os": "linux", "config": config}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": _MANIFEST, "config": {"digest": self.put(about), "size": len(about)},
            "layers": [{"digest": self.put(one), "size": len(one), "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"} for one in layers],
        }).encode()
        digest = self.put(manifest)
        self.tags[name] = self.put(json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [
            {"digest": f"sha256:{'0' * 64}", "platform": {"os": "linux", "architecture": "mips"}},
            {"digest": digest, "platform": {"os": "linux", "architecture": _ARCHITECTURE}}]}).encode())
        return digest


@contextmanager
def serving() -> Iterator[Registry]:
    """A registry that wants a token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append(self.path)
            if self.path.startswith("/token"):
                self._send(200, json.dumps({"token": TOKEN}).encode())
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, b"", f'Bearer realm="http://{registry.place}/token",service="here",scope="repository:pull"')
            else:
                parts = self.path.split("/")
                name, last = "/".join(parts[2:-2]), parts[-1]
                data = registry.blobs.get(last) or registry.blobs.get(registry.tags.get(f"{name}:{last}", ""))
                self._send(200 if data is not None else 404, data or b"")

        def _send(self, status: int, data: bytes, challenge: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if challenge:
                self.send_header("WWW-Authenticate", challenge)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry = Registry(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
