"""slurm up, down and status: started twice, half dead, with leftovers of a crash, side by side, on a full disk; and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from slurm.model.errors import SlurmError
from slurm.net import client
from tests.system.harness import Cluster, gate

Maker = Callable[..., Cluster]


def pids(cluster: Cluster) -> dict[str, int]:
    """Daemon name → process, as slurm status tells it."""
    return {one["name"]: one["pid"] for one in json.loads(cluster.run("slurm", "status", "--json").out)["daemons"]}


# --- up -------------------------------------------------------------------------------------------------------------------


def test_up_starts_once_and_says_so_when_all_of_it_runs(fresh: Maker) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    said = cluster.ok("slurm", "up", *cluster.flags)
    assert "is up" in said and "2 emulated nodes (cn[01-02]) with 4 CPUs" in said
    before = pids(cluster)
    assert all(before.values())
    again = cluster.ok("slurm", "up")
    assert "already up" in again and "Nothing was changed" in again
    assert pids(cluster) == before
    assert cluster.ok("slurm", "up", *cluster.flags) == again
    other = cluster.run("slurm", "up", "--nodes", "3")
    assert other.status == 1
    assert "slurm down" in other.err
    assert pids(cluster) == before


def test_an_idle_cluster_of_one_node_is_small_its_accounting_included(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "2")
    cluster.up()
    cluster.finish("--wrap", "true")
    cluster.until(lambda: "registered with slurmdbd" in (cluster.folder / "log" / "slurmctld.log").read_text(), why="slurmdbd is not there")
    held = {process.name(): process.memory_full_info().pss >> 20 for process in cluster.processes()}
    assert "slurmdbd" in held and sum(held.values()) < 150, held


def test_a_dead_slurmdbd_holds_up_nothing_and_is_started_again(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "2")
    cluster.up()
    cluster.kill("slurmdbd")
    job, status = cluster.finish("--wrap", "exit 4")
    assert status == 4
    with client.connect(cluster.environment) as connection, pytest.raises(SlurmError, match="Unable to connect to database"):
        connection.call({"type": "FindJobs", "wanted": {}})
    assert "slurmdbd" in cluster.ok("slurm", "up")

    def found() -> list[tuple[int, int]]:
        with client.connect(cluster.environment) as connection:
            answer = connection.call({"type": "FindJobs", "wanted": {}})
            return [(row["job"]["id"], row["job"].get("exit_status", 0)) for row in answer.get("jobs", [])]

    cluster.until(lambda: found() == [(int(job), 4 << 8)], why="the job did not arrive")


def test_without_options_one_node_has_what_this_machine_has(fresh: Maker) -> None:
    cluster = fresh()
    cluster.up()
    found = cluster.ok("sinfo", "-h", "-N", "-o", "%c %m").split()
    assert int(found[0]) == psutil.cpu_count()
    assert 0.5 < int(found[1]) * 2**20 / psutil.virtual_memory().total <= 1.0
    assert cluster.ok("srun", "-c1", "hostname").strip() == cluster.ok("hostname").strip()


def test_only_what_died_is_started_again(fresh: Maker) -> None:
    cluster = fresh("--nodes", "3", "--cpus", "4")
    cluster.up()
    before = pids(cluster)
    cluster.kill("slurmd-cn02")
    cluster.until(lambda: pids(cluster)["slurmd cn02"] in (0, None), why="the dead slurmd is not noticed")
    half = cluster.run("slurm", "status")
    assert half.status == 3
    assert "partly up" in half.out
    said = cluster.ok("slurm", "up")
    assert "slurmd cn02" in said and "slurmd cn01" not in said
    after = pids(cluster)
    assert {name for name in before if before[name] != after[name]} == {"slurmd cn02"}
    assert cluster.run("slurm", "status").status == 0


def test_pid_files_of_a_crash_fool_nobody(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    for daemon in ("slurmd-cn01", "slurmctld", "slurmdbd"):
        cluster.kill(daemon)
    # As after a reboot: the files are there, and their numbers belong to somebody else.
    for daemon in ("slurmd-cn01", "slurmctld", "slurmdbd"):
        (cluster.folder / "run" / f"{daemon}.pid").write_text(f"{os.getpid()}\n")
    assert cluster.run("slurm", "status").status == 3
    assert "not up" in cluster.ok("slurm", "down")
    cluster.ok("slurm", "up", *cluster.flags)
    assert cluster.ok("srun", "echo", "works").strip() == "works"
    assert psutil.pid_exists(os.getpid())


def test_two_who_start_it_at_once_get_one_cluster(fresh: Maker) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    both = [cluster.spawn("slurm", "up", *cluster.flags) for _ in range(2)]
    said = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sum("already up" in text for text in said) == 1, said
    assert len({*pids(cluster).values()}) == 4
    assert cluster.ok("srun", "echo", "works").strip() == "works"


def test_names_and_state_folders_keep_clusters_apart(fresh: Maker) -> None:
    first = fresh("--nodes", "1", "--cpus", "4")
    second = fresh("--nodes", "1", "--cpus", "4")
    first.up()
    second.up()
    first.ok("slurm", "--name", "beside", "up", "--nodes", "1", "--cpus", "2")
    try:
        beside = {"SLURM_PY_INSTANCE": "beside"}
        job = first.sbatch("-H", "--wrap", "true")
        assert first.ok("squeue", "-h", "-o", "%i").split() == [job]
        assert second.ok("squeue", "-h").strip() == ""
        assert first.ok("squeue", "-h", env=beside).strip() == ""
        assert first.ok("sinfo", "-h", "-o", "%c", env=beside).strip() == "2"
        first.ok("slurm", "down")
        assert second.run("slurm", "status").status == 0
        assert first.run("slurm", "status", env=beside).status == 0
    finally:
        first.ok("slurm", "--name", "beside", "down")


def test_nothing_is_written_outside_the_state_folder(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    home = cluster.root / "home"
    home.mkdir()
    for words in (("slurm", "up", *cluster.flags), ("srun", "true"), ("slurm", "down")):
        cluster.ok(*words, env={"HOME": str(home)})
    assert list(home.iterdir()) == []
    assert list(cluster.work.iterdir()) == []
    assert stat.S_IMODE(os.stat(cluster.folder).st_mode) == 0o700


# --- down and status ------------------------------------------------------------------------------------------------------


def test_down_ends_jobs_and_leaves_nothing_running(fresh: Maker) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    cluster.up()
    jobs = [cluster.sbatch("-o", f"down{i}.out", "--wrap", "echo $$; setsid sleep 600 & trap '' TERM; sleep 600; sleep 600") for i in range(3)]
    waiting = cluster.sbatch("-H", "--wrap", "true")
    for job in jobs:
        cluster.until_state(job, "RUNNING")
    assert cluster.processes()
    said = cluster.ok("slurm", "down", timeout=60)
    assert "3 running jobs" in said
    assert cluster.processes() == []
    assert list((cluster.folder / "run").iterdir()) == []
    assert cluster.run("slurm", "status").status == 3
    assert "not up" in cluster.ok("slurm", "down")
    cluster.up()
    assert cluster.states()[waiting] == "PENDING"
    assert {cluster.states()[job] for job in jobs} == {"CANCELLED"}
    assert int(cluster.sbatch("-H", "--wrap", "true")) == int(waiting) + 1


def test_jobs_may_outlive_the_daemons_when_asked_to(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("-o", "kept.out", "--wrap", f"{gate('go')}; echo kept")
    cluster.until_state(job, "RUNNING")
    cluster.ok("slurm", "down", "--keep-jobs")
    cluster.up()
    cluster.open_gate("go")
    assert cluster.until_ended(job) == {job: "COMPLETED"}
    assert cluster.output("kept.out") == "kept\n"


def test_status_tells_by_its_exit_code_whether_all_of_it_runs(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    none = cluster.run("slurm", "status")
    assert none.status == 3 and "slurm up" in none.out
    cluster.up()
    shown = cluster.run("slurm", "status")
    assert shown.status == 0
    assert "slurmctld" in shown.out and "slurmd cn01" in shown.out and "Jobs: none" in shown.out
    found = json.loads(cluster.ok("slurm", "status", "--json"))
    assert found["up"] is True
    assert found["conf"] == str(cluster.folder / "slurm.conf")


def test_ps_shows_who_is_who(fresh: Maker) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    cluster.up()
    job = cluster.sbatch("-o", "/dev/null", "--wrap", "srun sleep 60")
    cluster.until(lambda: len(cluster.stepds(f"{job}.")) == 2, why="there are not two slurmstepds")
    titles = {" ".join(process.cmdline()).strip() for process in [*cluster.processes(), *map(psutil.Process, pids(cluster).values())]}
    assert {"slurmctld", "slurmd -N cn01", "slurmd -N cn02", f"slurmstepd: [{job}.batch]", f"slurmstepd: [{job}.0]"} <= titles
    cluster.ok("scancel", job)


# --- a full disk ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)], check=False).returncode:
        pytest.skip("only root, where mounting is allowed, can have a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all there is."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"x" * size) == size:
                    continue
            except OSError:
                continue
    return path


def test_a_full_disk_refuses_new_work_and_loses_nothing(small_disk: Path) -> None:
    cluster = Cluster(small_disk / "c", "--nodes", "1", "--cpus", "4")
    try:
        cluster.up()
        running = cluster.sbatch("-o", "/dev/null", "--wrap", f"{gate('go')}; exit 9")
        waiting = cluster.sbatch("-H", "-o", "/dev/null", "--wrap", "true")
        cluster.until_state(running, "RUNNING")
        cluster.script("big.sh", "#!/bin/bash\n" + "true\n" * 50_000)
        filler = fill(small_disk)
        refused = [cluster.run("sbatch", "-H", "big.sh") for _ in range(3)]
        assert [one.status for one in refused] == [1] * 3
        assert all("Unable to write the state" in one.err or "No space left" in one.err or "disk" in one.err for one in refused), refused
        assert cluster.ok("squeue", "-h", "-j", f"{running},{waiting}", "-t", "all", "-o", "%i").split()
        filler.unlink()
        cluster.until(lambda: cluster.run("sbatch", "-H", "--wrap", "true").status == 0, why="nothing is taken although there is space again")
        cluster.open_gate("go")
        cluster.until_ended(running)
        assert cluster.field(running, "ExitCode") == "9:0"
        cluster.ok("scontrol", "release", waiting)
        assert cluster.until_ended(waiting) == {waiting: "COMPLETED"}
        ids = cluster.ok("squeue", "-h", "-o", "%i").split()
        cluster.kill("slurmctld")
        cluster.up()
        assert cluster.ok("squeue", "-h", "-o", "%i").split() == ids
    finally:
        cluster.close()


def test_up_on_a_full_disk_says_so_and_leaves_nothing_running(small_disk: Path) -> None:
    cluster = Cluster(small_disk / "c", "--nodes", "1", "--cpus", "4")
    filler = fill(small_disk)
    result = cluster.run("slurm", "up", *cluster.flags)
    assert result.status == 1
    assert "No space left on device" in result.err
    assert "Traceback" not in result.err
    assert cluster.processes() == []
    filler.unlink()
    cluster.up()
    cluster.close()


# --- used places ----------------------------------------------------------------------------------------------------------


def test_a_state_folder_that_cannot_be_written_is_named(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    (cluster.root / "slurm").write_text("not a folder")
    result = cluster.run("slurm", "up")
    assert result.status == 1
    assert str(cluster.root / "slurm") in result.err and "XDG_STATE_HOME" in result.err
    assert "Traceback" not in result.err
    (cluster.root / "slurm").unlink()


def test_an_interrupted_start_leaves_nothing_running(fresh: Maker) -> None:
    cluster = fresh("--nodes", "3", "--cpus", "4")
    starting = cluster.spawn("slurm", "up", *cluster.flags)
    cluster.until(lambda: (cluster.folder / "slurm.conf").exists())
    starting.send_signal(signal.SIGINT)
    _, err = starting.communicate(timeout=60)
    if starting.returncode != 0:  # It may have been up before the signal came.
        assert "Traceback" not in err
        cluster.until(lambda: cluster.processes() == [], seconds=10, why="some daemon was left")


def test_an_ordinary_program_has_memory_enough_on_the_cluster_of_the_readme(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "--nodes", "4", "--cpus", "16", "--gpus", "2")
    try:
        said = cluster.ok("slurm", "up", *cluster.flags).splitlines()
        assert said[1].startswith("A job has ") and said[1].endswith(" of memory a CPU unless it asks for more (--mem, --mem-per-cpu); one that holds more is ended.")
        # As much as `import torch` takes, and longer than a look at it.
        code = "import time; held = bytearray(b'x') * (600 << 20); time.sleep(2.5); print(len(held) >> 20)"
        assert cluster.ok("srun", sys.executable, "-c", code) == "600\n"
    finally:
        cluster.close()
