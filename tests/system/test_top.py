"""`slurm top` in a terminal of 80 by 24, on a cluster that has jobs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.harness import Cluster, gate

SECONDS = 40.0
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^][^\x1b]*\x1b\\|[@-_])")


class Screen:
    """A program in a terminal; what it wrote since the last key, as text."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self._terminal, self._written = process, terminal, b""

    def press(self, keys: str) -> None:
        """Type; what was written before is forgotten."""
        self._written = b""
        os.write(self._terminal, keys.encode())

    def until(self, *words: str) -> None:
        """Wait until all these words were written."""
        deadline = time.monotonic() + SECONDS
        while not all(word in self.text for word in words):
            assert time.monotonic() < deadline and self.process.poll() is None, f"no {words} in\n{self.text}"
            if select.select([self._terminal], [], [], 0.2)[0]:
                self._written += os.read(self._terminal, 65536)

    def end(self) -> int:
        """Wait for the end, reading on; the exit status."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    self._written += os.read(self._terminal, 65536)
                except OSError:
                    break  # the other end is closed
        return self.process.wait(SECONDS)

    @property
    def text(self) -> str:
        """What it wrote, without orders to the terminal."""
        return _ESCAPES.sub("", self._written.decode(errors="replace"))


@contextmanager
def opened(cluster: Cluster, *words: str, term: str = "xterm-256color") -> Iterator[Screen]:
    """`slurm top` in a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(["slurm", "top", *words], cwd=cluster.work, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                               env={**cluster.environment, "TERM": term, "COLUMNS": "80", "LINES": "24"})
    os.close(theirs)
    try:
        yield Screen(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)


def test_the_queue_is_watched_a_log_followed_and_a_job_cancelled(cluster: Cluster) -> None:
    job = cluster.sbatch("-J", "growing", "--wrap", f"echo begun; {gate('grow')}; echo still here; sleep 300")
    cluster.until_state(job, "RUNNING")
    with opened(cluster, "--interval", "0.5") as screen:
        screen.until("growing", "1 running", "CPU")
        screen.press("l")
        screen.until("begun")
        cluster.open_gate("grow")
        screen.until("still here")
        screen.press("i")
        screen.until("asked for")
        screen.press("c")
        screen.until(f"Cancel job {job}")
        screen.press("y")
        screen.until(f"job {job} is cancelled")
        cluster.until_state(job, "CANCELLED")
        screen.press("\x1b")
        screen.until("the queue is empty")
        screen.press("2")
        screen.until("cn01", "cn04")
        screen.press("q")
        assert screen.end() == 0


def test_a_controller_that_goes_away_is_told_of_and_comes_back(cluster: Cluster) -> None:
    with opened(cluster, "--interval", "0.5") as screen:
        screen.until("the queue is empty")
        pid = cluster.pid("slurmctld")
        os.kill(pid, signal.SIGTERM)
        screen.until("does not answer since")
        screen.press("")
        cluster.ok("slurm", "up")
        job = cluster.sbatch("-J", "returned", "--wrap", "sleep 300")
        screen.until("returned")
        cluster.ok("scancel", job)
        screen.press("\x03")
        assert screen.end() == 0


def test_a_terminal_that_cannot_show_a_screen_is_told_so(cluster: Cluster) -> None:
    with opened(cluster, term="dumb") as screen:
        assert screen.end() == 1
        assert "TERM is dumb" in screen.text


def test_without_a_terminal_a_snapshot_can_be_had_as_json(cluster: Cluster) -> None:
    cluster.ok("sbatch", "--hold", "-J", "held", "-a", "0-9", "--wrap", "true")
    found = json.loads(cluster.ok("slurm", "top", "--json"))
    assert found["jobs_by_state"] == {"PENDING": 10} and found["resources"]["gpus"] == {"allocated": 0, "total": 8}
    assert [row["name"] for row in found["jobs"]] == ["held"] and len(found["nodes"]) == 4
    refused = cluster.run("slurm", "top")
    assert refused.status == 1 and "needs a terminal" in refused.err and "--json" in refused.err
