"""Programs and a controller that is away: inside a job they wait for it and say so, elsewhere they behave as Slurm; a retry makes one job."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.commands.fake_cluster import DEADLINE, FakeCluster, Talk, completed

IN_JOB = {"SLURM_JOB_ID": "65", "SLURM_CLUSTER_NAME": "test"}
WAITING = "slurmctld does not answer: waiting up to 300 seconds for it"


def cluster_of(folder: Path) -> FakeCluster:
    """A cluster whose controller does not listen yet; its node does."""
    cluster = FakeCluster(folder)
    cluster._listen(folder / "cn01.sock", cluster._serve_node(completed))
    return cluster


def until(what: Callable[[], object]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_srun_inside_a_job_waits_for_a_controller_that_restarts(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path)
    try:
        with cluster.start("--jobid=65", "true", environ=IN_JOB) as process:
            assert process.stderr is not None
            assert process.stderr.readline().decode() == f"srun: {WAITING}\n"
            time.sleep(3.5)  # longer than anybody outside a job waits
            assert process.poll() is None
            cluster.serve()
            assert process.wait(DEADLINE) == 0
            assert process.stderr.read() == b"", "one line is enough"
        assert len(cluster.asked("CreateStep")) == 1
    finally:
        cluster.close()


def test_ctrl_c_ends_the_wait(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path)
    try:
        with cluster.start("--jobid=65", "true", environ=IN_JOB) as process:
            assert process.stderr is not None and process.stderr.readline()
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE) == 1
            assert time.monotonic() - began < 5
    finally:
        cluster.close()


def test_a_controller_that_hangs_is_asked_again_by_the_same_key(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path)
    (tmp_path / "slurm.conf").write_text((tmp_path / "slurm.conf").read_text() + "MessageTimeout=10\n")
    times: list[float] = []

    def hangs(talk: Talk, request: dict[str, Any]) -> None:
        times.append(time.monotonic())
        if len(times) > 1:
            talk.say(cluster.step_granted())

    cluster.answers["CreateStep"] = hangs
    cluster.serve()
    try:
        done = cluster.run("--jobid=65", "true", environ=IN_JOB)
        assert done.code == 0
        assert len({request["request"]["key"] for request in cluster.asked("CreateStep")}) == 1
        assert 9 < times[1] - times[0] < 15
    finally:
        cluster.close()


def test_srun_outside_a_job_gives_up_soon(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path)
    began = time.monotonic()
    done = cluster.run("true")
    assert done.code == 1 and "Unable to contact slurm controller" in done.err
    assert time.monotonic() - began < 10
    cluster.close()


def dies_once(cluster: FakeCluster, kind: str, answer: dict[str, Any]) -> list[str]:
    """The controller goes before it answers the first request of a kind; the keys that it was asked by."""
    keys: list[str] = []

    def answered(talk: Talk, request: dict[str, Any]) -> None:
        keys.append(request["key"])
        if len(keys) == 1:
            talk.hang_up()
        else:
            talk.say(answer)

    cluster.answers[kind] = answered
    return keys


def test_sbatch_asks_again_by_the_same_key(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path)
    keys = dies_once(cluster, "SubmitJob", {"type": "Submitted", "job_id": 7})
    cluster.serve()
    done = cluster.run("--wrap", "true", command="sbatch")
    assert (done.code, done.out) == (0, "Submitted batch job 7\n")
    assert "asking again (the job is made once)" in done.err
    assert len(keys) == 2 and keys[0] == keys[1]
    cluster.close()


def test_srun_asks_for_its_allocation_again_by_the_same_key(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path)
    keys = dies_once(cluster, "AllocateJob", cluster.granted())
    cluster.serve()
    assert cluster.run("true").code == 0
    assert len(keys) == 2 and keys[0] == keys[1]
    cluster.close()


def test_sbatch_inside_a_job_waits_for_a_controller_that_restarts(tmp_path: Path) -> None:
    cluster = cluster_of(tmp_path)
    cluster.answers["SubmitJob"] = lambda talk, request: talk.say({"type": "Submitted", "job_id": 7})
    with cluster.start("--wrap", "true", command="sbatch", environ=IN_JOB) as process:
        assert process.stderr is not None and WAITING in process.stderr.readline().decode()
        cluster.serve()
        assert process.wait(DEADLINE) == 0
    cluster.close()
