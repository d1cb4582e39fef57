"""Cleanup removes folders of ended jobs and nothing else: not live ones, not what these need, nothing that is not ours."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from slurm import BackendError, Cluster, InvalidOption, task
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.following.inspection import CELL, QUEUE, ROW
from tests.cluster.sdk.far_side import FarSide


def _line(script: str) -> str:
    """A line of squeue."""
    return ROW + CELL.join({"%o": script}.get(one, "") for one in QUEUE) + "\n"


class Queued(InlineBackend):
    """Inline jobs, and a queue of scripts that the test puts there."""

    live: Sequence[str] = ()
    down = False

    def ask(self, words: Sequence[str]) -> str:
        if self.down:
            raise BackendError("no answer")
        return "".join(map(_line, self.live)) if words[0] == "squeue" else ""


@task
def add(left: int, right: int = 1) -> int:
    return left + right


@task
def fail() -> None:
    raise ValueError("no")


def _old(*paths: str | os.PathLike[str], days: float = 30) -> None:
    then = time.time() - days * 86400
    for path in paths:
        for folder, folders, files in os.walk(path):
            for one in (*folders, *files):
                os.utime(f"{folder}/{one}", (then, then))
        os.utime(path, (then, then))


@pytest.fixture
def queued(tmp_path: Path) -> tuple[Cluster, Queued]:
    backend = Queued()
    return Cluster("inline", backend=backend, job_base_dir=tmp_path / "jobs"), backend


def test_old_folders_go_and_the_report_says_how_much_that_is(queued: tuple[Cluster, Queued]) -> None:
    cluster, _ = queued
    with cluster:
        old, young = add(1), add(2)
    _old(old.target_job_dir)
    planned = cluster.cleanup(dry_run=True)
    assert [one.path for one in planned.removed] == [old.target_job_dir] and planned.size > 1000
    assert str(planned).startswith("would remove 1 folders of jobs, ") and Path(old.target_job_dir).exists()
    done = cluster.cleanup()
    assert done.removed == planned.removed and not Path(old.target_job_dir).exists()
    assert young.result() == 3
    assert str(cluster.cleanup()) == "removed nothing, 0 bytes"


def test_what_live_jobs_are_and_need_stays(queued: tuple[Cluster, Queued]) -> None:
    cluster, backend = queued
    with cluster:
        needed, array, other = add(1), add.map([1, 2]), add(3)
        live = add(needed, right=array[1])  # type: ignore[arg-type]
    (code := Path(cluster.job_base_dir, ".code", f"modules-{'1' * 16}")).mkdir(parents=True)
    Path(live.files.script + ".again1").write_text(f"export PYTHONPATH={code}\n")
    (former := Path(code.parent, f"slurm-0.1-{'0' * 16}")).mkdir()
    Path(f"{code}.lock").touch()
    _old(cluster.job_base_dir)
    backend.live = [live.files.script + ".again1"]
    done = cluster.cleanup(older_than=timedelta(days=1))
    assert sorted(one.path for one in done.removed) == sorted([other.target_job_dir, str(former)])
    assert done.kept == 4 and "4 kept for jobs that have not ended" in str(done)
    assert live.result() == 5


def test_a_workflow_stays_while_one_of_its_children_lives(queued: tuple[Cluster, Queued]) -> None:
    cluster, backend = queued
    with cluster:
        job = add(1)
    (child := Path(job.target_job_dir, "tasks", "add", "20260101_000000_00000000")).mkdir(parents=True)
    _old(job.target_job_dir)
    backend.live = [f"{child}/slurm_job_20260101_000000_00000000_script.sh"]
    assert not cluster.cleanup().removed
    backend.live = []
    assert len(cluster.cleanup().removed) == 1


def test_what_is_not_ours_is_not_looked_at(queued: tuple[Cluster, Queued], tmp_path: Path) -> None:
    cluster, _ = queued
    base = Path(cluster.job_base_dir)
    (plain := base / "thesis" / "20200101_000000_00000000").mkdir(parents=True)
    (plain / "chapter1.tex").write_text("x")
    (named := base / "add" / "results").mkdir(parents=True)
    (elsewhere := tmp_path / "elsewhere" / "20200101_000000_00000001").mkdir(parents=True)
    (elsewhere / "slurm_job_20200101_000000_00000001_script.sh").write_text("x")
    (base / "add" / elsewhere.name).symlink_to(elsewhere)
    _old(base, elsewhere)
    assert not cluster.cleanup(older_than=0, cache=True).removed
    assert plain.exists() and named.exists() and elsewhere.exists()


def test_a_home_folder_as_the_base_keeps_the_caches_and_folders_of_other_programs(queued: tuple[Cluster, Queued]) -> None:
    cluster, _ = queued
    base = Path(cluster.job_base_dir)
    others = [base / ".cache" / "pip" / "wheel.whl", base / ".cache" / "models" / "slurm_job_results.pkl", base / ".code" / "editor" / "settings.json", base / ".code" / "venv"]
    for one in others:
        one.parent.mkdir(parents=True, exist_ok=True)
        one.write_text("x")
    (base / ".cache" / "add").mkdir()
    results = [base / ".cache" / "add" / f"slurm_job_{'a' * 40}_result{rank}.pkl" for rank in ("", ".1", ".12")]
    for one in results:
        one.write_text("x")
    _old(base)
    assert {one.path for one in cluster.cleanup(older_than=0, cache=True).removed} == set(map(str, results))
    assert all(one.exists() for one in others)


def test_links_in_the_place_of_our_folders_lead_nowhere(queued: tuple[Cluster, Queued], tmp_path: Path) -> None:
    cluster, _ = queued
    (base := Path(cluster.job_base_dir)).mkdir()
    (code := tmp_path / "other" / f"venv-{'1' * 16}").mkdir(parents=True)
    (result := tmp_path / "other" / f"slurm_job_{'a' * 40}_result.pkl").touch()
    (base / ".code").symlink_to(tmp_path / "other")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "add").symlink_to(tmp_path / "other")
    (base / ".cache").symlink_to(tmp_path / "cache")
    _old(base, tmp_path / "other")
    assert not cluster.cleanup(older_than=0, cache=True).removed
    os.unlink(base / ".cache")
    (tmp_path / "cache").rename(base / ".cache")
    assert not cluster.cleanup(older_than=0, cache=True).removed
    assert code.exists() and result.exists()


def test_jobs_that_failed_can_be_kept(queued: tuple[Cluster, Queued]) -> None:
    cluster, _ = queued
    with cluster:
        good, bad, whole, half = add(1), fail(), add.map([1, 2]), add.map([1, 2])
    os.unlink(half[1].result_path)
    _old(cluster.job_base_dir)
    assert sorted(one.path for one in cluster.cleanup(keep_failed=True).removed) == sorted(map(str, [good.target_job_dir, whole.array_dir]))
    assert sorted(one.path for one in cluster.cleanup().removed) == sorted(map(str, [bad.target_job_dir, half.array_dir]))


def test_nothing_is_removed_when_the_cluster_cannot_say_what_lives(queued: tuple[Cluster, Queued]) -> None:
    cluster, backend = queued
    with cluster:
        job = add(1)
    _old(job.target_job_dir)
    backend.down = True
    with pytest.raises(BackendError, match="no answer"):
        cluster.cleanup()
    assert job.result() == 2
    with pytest.raises(InvalidOption, match="older_than=-1"):
        cluster.cleanup(older_than=-1)


def test_over_ssh_it_is_done_on_the_other_side(tmp_path: Path) -> None:
    far = FarSide(tmp_path)
    try:
        far.script("sbatch", "echo 1")
        (far.home / "queue").write_text(_line(f"{far.home}/jobs/add/20200101_000000_00000001/slurm_job_20200101_000000_00000001_script.sh"))
        far.script("squeue", f"cat '{far.home}/queue'")
        for number in range(3):
            (folder := far.home / "jobs" / "add" / f"20200101_000000_0000000{number}").mkdir(parents=True)
            (folder / f"slurm_job_{folder.name}_script.sh").write_text("x")
        _old(far.home / "jobs")
        with Cluster("ssh", hostname="127.0.0.1", port=far.port, username="u", password="hunter2", known_hosts=far.known_hosts, look_for_keys=False,
                     allow_agent=False, job_base_dir="~/jobs", python=sys.executable) as cluster:
            done = cluster.cleanup()
            cluster.close()
        assert [os.path.basename(one.path)[-1] for one in done.removed] == ["0", "2"] and done.kept == 1
        assert sorted(os.listdir(far.home / "jobs" / "add")) == ["20200101_000000_00000001"] and os.listdir(far.home / "jobs") == ["add"]
    finally:
        far.stop()
