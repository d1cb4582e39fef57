"""Garbage on the sockets of slurmctld and slurmd while a job runs: they go on serving, and do not grow."""

from __future__ import annotations

import random
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.system.harness import Cluster, gate

MEGABYTE = 1 << 20
GROWTH = 48 * MEGABYTE
DAEMONS = ("slurmctld", "slurmd-cn01")
chance = random.Random(20260)


def connected(path: Path) -> socket.socket:
    """A connection to a daemon's socket."""
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(5)
    link.connect(str(path))
    return link


def throw(path: Path, data: bytes) -> None:
    """Send bytes, perhaps not all of them, and hang up after an answer or a moment."""
    with connected(path) as link:
        link.settimeout(0.2)
        try:
            link.sendall(data)
            link.recv(65536)
        except OSError:
            return


def frame(codec: bytes, payload: bytes, version: int = 1, length: int | None = None) -> bytes:
    """Something that may look like a frame: magic, version, codec, length, payload, in several layouts."""
    size = len(payload) if length is None else length
    return chance.choice([
        struct.pack("!I", size) + payload, struct.pack("!BcI", version & 255, codec, size) + payload,
        b"SLPY" + struct.pack("!BcI", version & 255, codec, size) + payload, struct.pack("!HcI", version & 65535, codec, size) + payload])


def ill(codec: bytes = b"J") -> Iterator[bytes]:
    """Every kind of thing that is no message."""
    yield b""
    yield b"\x00"
    yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(512)
    for _ in range(40):
        yield chance.randbytes(chance.randrange(1, 4096))
    for size in (0, 1, 2**31 - 1, 2**32 - 1):
        for _ in range(4):
            yield frame(codec, b"x" * 16, length=size)
    for version in (0, 2, 99, 255):
        yield frame(codec, b'{"type": "Ping"}', version=version)
    for text in (b"{}", b"[]", b"null", b'{"type": "NoSuch"}', b'{"type": "Ping"', b'{"type": "SubmitJob"}', b"[" * 50_000, b'{"type": ["Ping"]}', b"\xff" * 64):
        for _ in range(4):
            yield frame(codec, text)


@contextmanager
def many_files(count: int) -> Iterator[None]:
    """Allow this process as many open files for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, count), hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def job(cluster: Cluster) -> str:
    """A job that runs through all of it."""
    found = cluster.sbatch("-w", "cn01", "-o", "through.out", "--wrap", f"{gate('go')}; echo through; exit 5")
    cluster.until_state(found, "RUNNING")
    return found


def size(cluster: Cluster, daemon: str) -> int:
    """Resident memory of a daemon."""
    found: int = psutil.Process(cluster.pid(daemon)).memory_info().rss
    return found


def serves(cluster: Cluster) -> None:
    """Both daemons answer: the controller a question, slurmd a step."""
    assert "UP" in cluster.ok("scontrol", "ping")
    assert cluster.ok("srun", "-w", "cn01", "echo", "well", timeout=20).strip() == "well"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_bytes_that_are_no_message_stop_nobody(cluster: Cluster, job: str, daemon: str) -> None:
    path = cluster.folder / "run" / f"{daemon}.sock"
    pid, before = cluster.pid(daemon), size(cluster, daemon)
    for data in (*ill(b"J"), *ill(b"M"), *ill(b"B")):
        throw(path, data)
    assert cluster.pid(daemon) == pid
    serves(cluster)
    assert size(cluster, daemon) - before < GROWTH


@pytest.mark.parametrize("daemon", DAEMONS)
def test_what_a_command_sends_may_be_cut_or_changed_anywhere(cluster: Cluster, job: str, daemon: str) -> None:
    path = cluster.folder / "run" / f"{daemon}.sock"
    from slurm.wire import frames
    good = frames.pack(frames.JSON, b'{"type": "ListJobs", "fields": ["JobID"], "filter": {}}')
    pid = cluster.pid(daemon)
    for cut in range(0, len(good), 3):
        throw(path, good[:cut])
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1 << chance.randrange(8)
        throw(path, bytes(changed))
    assert cluster.pid(daemon) == pid
    serves(cluster)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_thousand_idle_connections_and_half_frames_leave_room_for_users(cluster: Cluster, job: str, daemon: str) -> None:
    path = cluster.folder / "run" / f"{daemon}.sock"
    before = size(cluster, daemon)
    with many_files(2048), ExitStack() as held:
        for number in range(1000):
            link = held.enter_context(connected(path))
            if number % 2:
                link.send(struct.pack("!I", 1 << 20)[:number % 4] + b"x" * (number % 7))
        serves(cluster)
        assert size(cluster, daemon) - before < GROWTH
    serves(cluster)


def test_the_job_noticed_nothing(cluster: Cluster, job: str) -> None:
    assert cluster.state(job) == "RUNNING"
    cluster.open_gate("go")
    cluster.until_ended(job)
    assert cluster.field(job, "ExitCode") == "5:0"
    assert cluster.output("through.out") == "through\n"


def test_the_logs_say_what_came_in_and_stay_short(cluster: Cluster, job: str) -> None:
    for daemon in DAEMONS:
        text = (cluster.folder / "log" / f"{daemon}.log").read_text()
        assert "Traceback" not in text
        assert len(text) < 2 * MEGABYTE
