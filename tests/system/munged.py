"""A real munged for tests: in a folder of its own, with its own key and socket, as the user munge; on this machine or on one of namespaces."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

USER = "munge"


def why_not() -> str:
    """Why there can be none here, "" where there can."""
    if shutil.which("munged", path="/usr/sbin:/usr/bin") is None:
        return "munged is not installed"
    if os.geteuid() != 0:
        return "only root can start munged as its user"
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return "there is no user munge"
    return ""


class Munged:
    """One munged; `folder` must be one that others may enter. `prefix` is what makes a command run on another machine, where the folder is `there`."""

    def __init__(self, folder: Path, key: bytes, prefix: Sequence[str] = (), there: str = "") -> None:
        self.folder = folder
        self._prefix = list(prefix)
        self._there = there or str(folder)
        self._process: subprocess.Popen[bytes] | None = None
        user = pwd.getpwnam(USER)
        folder.mkdir(exist_ok=True)
        (folder / "key").write_bytes(key)
        (folder / "key").chmod(0o400)
        for path in (folder, folder / "key"):
            os.chown(path, user.pw_uid, user.pw_gid)
        folder.chmod(0o755)
        self._become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    @property
    def socket(self) -> str:
        """Where it listens, as seen on its machine."""
        return f"{self._there}/socket"

    def start(self) -> None:
        """Start it; returns when it listens."""
        (self.folder / "socket").unlink(missing_ok=True)
        files = [f"--{name}={self._there}/{file}" for name, file in (
            ("socket", "socket"), ("key-file", "key"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))]
        with open(self.folder / "out", "ab") as out:
            self._process = subprocess.Popen([*self._prefix, *self._become, "/usr/sbin/munged", "--foreground", "--force", *files], stdout=out, stderr=out)
        deadline = time.monotonic() + 20
        while not (self.folder / "socket").exists():
            assert time.monotonic() < deadline and self._process.poll() is None, (self.folder / "out").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            for process in [*psutil.Process(self._process.pid).children(recursive=True), psutil.Process(self._process.pid)]:
                process.terminate()  # nsenter does not pass it on
            self._process.wait(20)
            self._process = None
