"""Frozen or not, a command says and does the same; and what it loads to start is written down here, because each module costs it time."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

import slurm
from slurm.commands.frozen import build
from slurm.net.framing import FrameBuffer
from slurm.wire import frames
from tests.unit.commands.frozen.installation import Installation

CALLS = [
    ("sbatch", "--help"), ("sbatch", "--usage"), ("sbatch", "--version"), ("sbatch", "--no-such-option"), ("sbatch", "/nonexistent"),
    ("sbatch", "--wrap", "true"), ("sbatch", "-t", "never", "--wrap", "true"), ("sbatch", "--gres=gpu:x:y:z", "--wrap", "true"),
    ("squeue", "--help"), ("squeue", "--helpformat"), ("squeue", "--helpstate"), ("squeue", "-t", "no-such-state"), ("squeue", "-j", "x"),
    ("squeue", "-o", "%Z %Q"), ("sinfo", "--help"), ("sinfo", "-O", "nosuchfield"), ("sinfo",), ("scancel", "--help"), ("scancel", "-s", "NOSIG", "1"),
    ("scancel", "1"), ("scontrol", "--help"), ("scontrol", "show", "nothing"), ("scontrol", "show", "hostnames", "n[1-3,7]"),
    ("scontrol", "show", "hostlist", "n1,n2,n9"), ("srun", "--help"), ("srun",), ("srun", "true"), ("salloc", "--usage"), ("salloc", "-N", "x"),
    ("sacct", "--help"), ("sprio",), ("sshare", "--version"), ("sacctmgr", "frobnicate"), ("sstat", "--version"), ("sacct", "--helpformat"),
    ("sdiag", "--no-such"),
]
ABOUT_RECORDS = [
    ("sacct", "-j", "7"), ("sacct", "-j", "7", "-P", "-o", "all"), ("sacct", "-j", "7", "--json"), ("sacct", "-o", "nosuchfield"),
    ("sacct", "-a", "-X", "-T", "-S", "2026-11-21T00:00", "-E", "2026-11-21T12:00", "-o", "start,end,state"), ("sacct", "-a", "-s", "RQ,F"),
    ("seff", "7"), ("sreport", "cluster", "utilization", "start=2026-11-21", "end=2026-11-22"),
    ("sreport", "-t", "percent", "user", "top", "start=2026-11-21", "end=2026-11-22"), ("sreport", "job", "sizes", "start=2026-11-21", "end=2026-11-22")]
"""Calls that read records: from the sources by msgspec, frozen without."""
_USED = {"total": 4096, "tasks": 1, "most": {"value": 4096, "node": "n1", "task": 0}, "least": {"value": 4096, "node": "n1", "task": 0}}
JOB = {
    "cluster": "c", "index": 3, "job": {
        "id": 7, "uid": 0, "gid": 0, "user": "root", "group": "root", "state": 4, "killed_by": 0, "submit_time": 1795262400.0, "eligible_time": 1795262400.0,
        "start_time": 1795262401.0, "end_time": 1795262500.0, "requested": {"cpu": 1, "mem": 500}, "allocated": {"cpu": 1, "mem": 500, "node": 1},
        "nodes": "n1", "node_count": 1, "time_limit": 600},
    "steps": [{"job": 7, "step": -5, "name": "batch", "state": 4, "start_time": 1795262401.0, "end_time": 1795262500.0, "usage": {
        "user_seconds": 1.5, "taken": {"mem": _USED, "cpu": _USED}}}]}
"""A job as accounting answers for it."""
ANSWERS = {
    "ListJobs": {"type": "Rows", "rows": []}, "ListNodes": {"type": "Rows", "rows": []}, "SubmitJob": {"type": "Submitted", "job_id": 7},
    "CancelJobs": {"type": "Done"}, "Describe": {"type": "Text", "text": "JobId=7\n"},
    "FindJobs": {"type": "JobsFound", "cluster": "c", "jobs": [JOB]}, "ReadStatistics": {"type": "StatisticsRead", "statistics": {"req_time": 1795262400.0}},
    "SumUsage": {"type": "UsageSummed", "cluster": "c", "clusters": [
        {"cluster": "c", "tres": "cpu", "total": 7200, "allocated": 3600, "down": 0, "planned_down": 0, "idle": 3600, "planned": 0}], "associations": [
        {"cluster": "c", "association": 1, "account": "root", "user": "root", "tres": "cpu", "seconds": 3600}]},
}
ALWAYS = {"gc", "_collections", "_json", "_socket", "_sre", "_struct", "errno", "pwd"}
OF_ENUM = {"__future__", "slurm.model.states", "enum", "itertools", "operator", "_operator", "types", "functools", "_functools", "collections", "keyword", "reprlib"}
"""What the states of jobs need."""
LOADED = {
    ("sbatch", "--wrap", "true"): ALWAYS | {"resource"},
    ("squeue",): ALWAYS,
    ("sinfo",): ALWAYS,
    ("sacct", "-j", "7"): ALWAYS | OF_ENUM | {"_bisect", "math"},
    ("scancel", "7"): ALWAYS | {"_bisect", "itertools", "math", "resource"},
    ("scontrol", "show", "job", "7"): ALWAYS | {"itertools", "resource"},
}
"""Call → every module that the import system loads for it: parts of the standard library in C."""


@contextmanager
def controller(folder: Path) -> Iterator[str]:
    """The slurm.conf of a cluster whose slurmctld answers every request from ANSWERS."""
    conf = folder / "slurm.conf"
    conf.write_text(f"ClusterName=c\nSlurmctldHost=localhost\nAuthType=auth/local\nSlurmctldPidFile={folder}/slurmctld.pid\nStateSaveLocation={folder}\n")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/slurmctld.sock")
    listener.listen()
    thread = threading.Thread(target=_serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield str(conf)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        with stream:
            buffer = FrameBuffer()
            while data := stream.recv(65536):
                buffer.feed(data)
                while (frame := buffer.take()) is not None:
                    answer = ANSWERS[json.loads(frame[1])["type"]]
                    stream.sendall(frames.pack(frames.JSON, json.dumps(answer).encode()))


def test_every_command_can_be_frozen() -> None:
    """One heavy import at the head of its module, and a command starts from its sources, in twice the time."""
    sources = build.Sources(os.path.dirname(slurm.__file__) + "/")
    assert [command for command in build.COMMANDS if sources.get(f"slurm.commands.{command}") is None] == []


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_a_command_says_the_same_frozen_and_from_its_sources(installed: Installation, words: tuple[str, ...]) -> None:
    file = installed.frozen or installed.froze()
    frozen = installed.call(*words)
    held = file.rename(installed.folder / "held")
    try:
        plain = installed.call(*words, PYTHONDONTWRITEBYTECODE="1")
    finally:
        held.rename(file)
    assert (frozen.returncode, frozen.stdout, frozen.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert "Traceback" not in frozen.stderr


@pytest.mark.parametrize("words", ABOUT_RECORDS, ids=" ".join)
def test_records_are_the_same_without_msgspec(installed: Installation, tmp_path: Path, words: tuple[str, ...]) -> None:
    if not (installed.packages / "msgspec").exists():
        (installed.packages / "msgspec").symlink_to(Path(msgspec.__file__).parent)
    file = installed.frozen or installed.froze()
    with controller(tmp_path) as conf:
        frozen = installed.call(*words, SLURM_CONF=conf)
        held = file.rename(installed.folder / "held")
        try:
            plain = installed.call(*words, SLURM_CONF=conf, PYTHONDONTWRITEBYTECODE="1")
        finally:
            held.rename(file)
    assert "Traceback" not in plain.stderr and (plain.stdout or plain.returncode)
    assert (frozen.returncode, frozen.stdout, frozen.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("words", LOADED, ids=" ".join)
def test_a_call_loads_what_is_written_down_here_and_nothing_else(installed: Installation, tmp_path: Path, words: tuple[str, ...]) -> None:
    if installed.frozen is None:
        installed.froze()
    with controller(tmp_path) as conf:
        done = installed.call(*words, SLURM_CONF=conf)
        assert done.returncode == 0, done.stderr
        assert set(installed.loaded(*words, SLURM_CONF=conf)) == LOADED[words]


@pytest.mark.parametrize("program", ["squeue | head -0", "squeue >/dev/full", "squeue >&-", "squeue 2>&-", "squeue <&-"])
def test_streams_that_are_gone_or_full_end_a_frozen_command_as_they_end_any(installed: Installation, tmp_path: Path, program: str) -> None:
    installed.froze()
    with controller(tmp_path) as conf:
        found = []
        for _ in range(2):
            done = installed.call("bash", "-c", f"set -o pipefail; {program}", program="/bin/bash", SLURM_CONF=conf, PYTHONDONTWRITEBYTECODE="1")
            found.append((done.returncode, done.stdout, done.stderr))
            if installed.frozen is not None:
                installed.frozen.unlink()
    assert found[0] == found[1]
