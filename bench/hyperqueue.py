"""HyperQueue (PyPI) as a contestant: a server and a worker with 64 claimed CPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time

from bench.contestant import median_of


def missing() -> str:
    """What is not installed, "" when it is there."""
    return "" if _program() else "not installed: hq (pip install hyperqueue)"


def _program() -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "hq")
    return beside if os.path.exists(beside) else shutil.which("hq") or ""


class HyperQueue:
    """hq server and worker."""

    name = "HyperQueue"

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="bench-hq-")
        self._processes: list[subprocess.Popen[bytes]] = []

    def _words(self, *words: str) -> list[str]:
        return [_program(), "--server-dir", f"{self.folder}/server", *words]

    def call(self, *words: str) -> str:
        """Run one hq command; its standard output."""
        return subprocess.run(self._words(*words), cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def start(self) -> None:
        """Server and worker; returns when the worker is connected."""
        for words in (("server", "start", "--journal", f"{self.folder}/journal"), ("worker", "start", "--cpus", "64")):
            self._processes.append(subprocess.Popen(
                self._words(*words), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(1.5)

    def stop(self) -> None:
        """End both and remove what they wrote."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def array_of_true(self, count: int) -> float:
        """Jobs a second of an array of `bash -c true`, from submission to the last completion."""
        began = time.monotonic()
        self.call("submit", "--array", f"0-{count - 1}", "--stdout", "none", "--stderr", "none", "--wait", "bash", "-c", "true")
        return count / (time.monotonic() - began)

    def empty_queue(self, times: int) -> float:
        """Seconds of one `hq job list`, the median."""
        return median_of(lambda: self.call("job", "list"), times)
