"""The site's scripts around jobs: Prolog and Epilog of nodes and of slurmctld, and what comes of their failures and of kill -9 between."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import Cluster

Maker = Callable[..., Cluster]


class Site:
    """A cluster whose scripts write what they see into `told`, and fail or wait while a file says so."""

    def __init__(self, cluster: Cluster, *keys: str, more: str = "") -> None:
        self.cluster = cluster
        cluster.up()
        self.folder = cluster.root / "site"
        self.told = self.folder / "told"
        self.told.mkdir(parents=True)
        self.script("around.sh")
        conf = cluster.folder / "slurm.conf"
        lines = "".join(f"{key}={self.folder}/around.sh\n" for key in keys)
        conf.write_text(conf.read_text() + lines + more.replace("SITE", str(self.folder)))
        cluster.ok("scontrol", "reconfigure")

    def script(self, name: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            "#!/bin/sh\nPATH=/usr/bin:/bin\n"
            f'base={self.folder}/told/$SLURM_SCRIPT_CONTEXT.$SLURM_JOB_ID.${{SLURMD_NODENAME:-head}}\n'
            f'echo "{name}" >>$base.runs; env >$base.env\n'
            f'touch $base.begun; while [ -e {self.folder}/wait.$SLURM_SCRIPT_CONTEXT ]; do sleep 0.05; done\n'
            f'if [ -e {self.folder}/fail.$SLURM_SCRIPT_CONTEXT ]; then echo "no such luck"; exit 7; fi\nexit 0\n')
        path.chmod(0o755)

    def runs(self, context: str, job: str, node: str = "cn01") -> int:
        """How often a script of this kind ran for a job."""
        path = self.told / f"{context}.{job}.{node}.runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def until_runs(self, context: str, job: str, node: str = "cn01") -> None:
        self.cluster.until(lambda: self.runs(context, job, node), why=f"{context} of job {job} was not run on {node}")

    def variables(self, context: str, job: str, node: str = "cn01") -> dict[str, str]:
        """What it saw."""
        text = (self.told / f"{context}.{job}.{node}.env").read_text()
        return {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}

    def say(self, what: str) -> Path:
        """Have scripts fail or wait: fail.prolog_slurmd …"""
        path = self.folder / what
        path.touch()
        return path

    def restart(self, daemon: str) -> None:
        """kill -9, and another one; `slurm up` would write slurm.conf anew."""
        self.cluster.kill(daemon)
        self.start(daemon)

    def start(self, daemon: str) -> None:
        name, _, node = daemon.partition("-")
        self.cluster.ok(sys.executable, "-m", f"slurm.{name}", "-f", str(self.cluster.folder / "slurm.conf"), *(["-N", node] if node else []))

    def reason(self, node: str = "cn01") -> str:
        """Why a node is drained."""
        return self.cluster.ok("sinfo", "-h", "-n", node, "-o", "%T %E").strip()

    def resume(self, node: str = "cn01") -> None:
        self.cluster.ok("scontrol", "update", f"nodename={node}", "state=resume")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    cluster = Cluster(tmp_path_factory.mktemp("prologs") / "c", "--nodes", "2", "--cpus", "4", "--gpus", "2")
    try:
        yield Site(cluster, "Prolog", "Epilog", "PrologSlurmctld", "EpilogSlurmctld")
    finally:
        cluster.close()


def test_a_batch_job_runs_between_its_prologs_and_epilogs_each_once_with_what_slurm_tells_them(site: Site) -> None:
    cluster = site.cluster
    job, status = cluster.finish("-w", "cn01", "--gres=gpu:1", "--comment", "for the record", "-o", "ran.out", "--wrap", "exit 3")
    assert status == 3
    cluster.until_ended(job)
    for context, node in (("prolog_slurmctld", "head"), ("prolog_slurmd", "cn01"), ("epilog_slurmd", "cn01"), ("epilog_slurmctld", "head")):
        assert site.runs(context, job, node) == 1, context
        seen = site.variables(context, job, node)
        assert seen["SLURM_JOB_ID"] == seen["SLURM_JOBID"] == job
        assert seen["SLURM_JOB_USER"] and seen["SLURM_JOB_UID"] == str(os.getuid())
        assert seen["SLURM_JOB_PARTITION"] and seen["SLURM_CLUSTER_NAME"] == "test"
        assert seen["SLURM_JOB_COMMENT"] == "for the record" and seen["SLURM_JOB_RESTART_COUNT"] == "0"
        assert seen["SLURM_JOB_STDOUT"] == str(cluster.work / "ran.out") and seen["SLURM_JOB_WORK_DIR"] == str(cluster.work)
        assert ("SLURM_JOB_EXIT_CODE" in seen) == context.startswith("epilog")
    ended = site.variables("epilog_slurmd", job)
    assert (ended["SLURM_JOB_EXIT_CODE"], ended["SLURM_JOB_EXIT_CODE2"]) == ("768", "3:0")
    assert ended["SLURM_JOB_GPUS"] == ended["CUDA_VISIBLE_DEVICES"] == "0"
    assert ended["SLURMD_NODENAME"] == "cn01" and ended["SLURM_CONF"] == str(cluster.folder / "slurm.conf")


def test_without_alloc_a_prolog_runs_where_the_first_step_does_and_an_epilog_on_every_node(site: Site) -> None:
    cluster = site.cluster
    said = cluster.ok("salloc", "-N2", "-Q", "bash", "-c", "srun -N1 -w cn02 true; srun -N1 -w cn02 true; echo $SLURM_JOB_ID")
    job = said.split()[-1]
    assert (site.runs("prolog_slurmd", job, "cn01"), site.runs("prolog_slurmd", job, "cn02")) == (0, 1)
    site.until_runs("epilog_slurmd", job, "cn01")
    site.until_runs("epilog_slurmd", job, "cn02")


def test_a_failing_prolog_drains_the_node_and_the_job_waits_held_for_somebody_to_look(site: Site) -> None:
    cluster = site.cluster
    failing = site.say("fail.prolog_slurmd")
    job = cluster.sbatch("-w", "cn01", "-o", "never.out", "--wrap", "echo ran")
    cluster.until(lambda: site.reason() == "drained Prolog error", why="cn01 was not drained")
    cluster.until(lambda: cluster.show(job)["JobState"] == "PENDING", why="it was not requeued")
    assert cluster.ok("squeue", "-h", "-j", job, "-o", "%T %r").strip() == "PENDING launch_failed_requeued_held"
    assert "no such luck" in (cluster.folder / "log" / "slurmd-cn01.log").read_text()
    failing.unlink()
    site.resume()
    cluster.ok("scontrol", "release", job)
    assert cluster.until_ended(job)[job] == "COMPLETED"
    assert cluster.output("never.out") == "ran\n"


def test_srun_says_that_the_prolog_failed_and_its_job_is_cancelled(site: Site) -> None:
    cluster = site.cluster
    failing = site.say("fail.prolog_slurmd")
    result = cluster.run("srun", "-w", "cn01", "true")
    failing.unlink()
    assert result.status != 0
    assert "srun: error: Task launch for StepId=" in result.err and "failed on node cn01: Job prolog failed" in result.err
    cluster.until(lambda: site.reason() == "drained Prolog error", why="cn01 was not drained")
    site.resume()


def test_a_failing_epilog_drains_the_node(site: Site) -> None:
    cluster = site.cluster
    failing = site.say("fail.epilog_slurmd")
    job, status = cluster.finish("-w", "cn01", "--wrap", "true")
    cluster.until(lambda: site.reason() == "drained Epilog error", why="cn01 was not drained")
    failing.unlink()
    assert (status, cluster.state(job)) == (0, "COMPLETED")
    site.resume()


def test_a_failing_prolog_of_the_controller_requeues_a_batch_job_and_cancels_any_other(site: Site) -> None:
    cluster = site.cluster
    failing = site.say("fail.prolog_slurmctld")
    job = cluster.sbatch("--wrap", "true")
    cluster.until(lambda: cluster.show(job)["Restarts"] == "1", why="it was not requeued")
    assert cluster.show(job)["JobState"] == "PENDING"
    cluster.ok("scancel", job)
    assert cluster.run("srun", "true").status != 0
    failing.unlink()
    assert "idle" in site.reason()


def test_a_job_is_configuring_while_the_controllers_prolog_runs_and_completing_until_its_epilog_is_over(site: Site) -> None:
    cluster = site.cluster
    waiting = site.say("wait.prolog_slurmctld")
    job = cluster.sbatch("-w", "cn01", "--wrap", "true")
    site.until_runs("prolog_slurmctld", job, "head")
    assert cluster.ok("squeue", "-h", "-j", job, "-o", "%t").strip() == "CF"
    assert site.runs("prolog_slurmd", job) == 0
    ending = site.say("wait.epilog_slurmctld")
    waiting.unlink()
    site.until_runs("epilog_slurmctld", job, "head")
    cluster.until(lambda: site.runs("epilog_slurmd", job), why="its node has an epilog too")
    assert cluster.ok("squeue", "-h", "-j", job, "-o", "%t").strip() == "CG"
    ending.unlink()
    cluster.until_ended(job)


def test_a_job_that_is_cancelled_during_its_prolog_never_runs_and_gets_its_epilog(site: Site) -> None:
    cluster = site.cluster
    waiting = site.say("wait.prolog_slurmd")
    job = cluster.sbatch("-w", "cn01", "-o", "cancelled.out", "--wrap", "echo ran")
    site.until_runs("prolog_slurmd", job)
    cluster.ok("scancel", job)
    assert site.runs("epilog_slurmd", job) == 0
    waiting.unlink()
    cluster.until_ended(job)
    assert site.runs("epilog_slurmd", job) == 1 and not (cluster.work / "cancelled.out").exists()


@pytest.mark.parametrize("daemon", ["slurmd-cn01", "slurmctld"])
def test_kill_9_while_a_prolog_or_an_epilog_runs_has_none_run_twice_and_none_left_out(site: Site, daemon: str) -> None:
    cluster = site.cluster
    waiting, ending = site.say("wait.prolog_slurmd"), site.say("wait.epilog_slurmd")
    job = cluster.sbatch("-w", "cn01", "-o", "once.%j", "--wrap", "echo ran")
    site.until_runs("prolog_slurmd", job)
    site.restart(daemon)
    waiting.unlink()
    site.until_runs("epilog_slurmd", job)
    site.restart(daemon)
    ending.unlink()
    assert cluster.until_ended(job)[job] == "COMPLETED"
    assert (site.runs("prolog_slurmd", job), site.runs("epilog_slurmd", job), cluster.output(f"once.{job}")) == (1, 1, "ran\n")
    cluster.until(lambda: not list((cluster.folder / "spool" / "cn01" / "scripts").iterdir()), why="something of it stays in the spool")


def test_a_job_that_ended_while_its_slurmd_was_down_has_its_epilog_run_once_it_is_back(site: Site) -> None:
    cluster = site.cluster
    job = cluster.sbatch("-w", "cn01", "-o", "down.out", "--wrap", "echo ready; until [ -e down.gate ]; do sleep 0.05; done")
    cluster.until(lambda: (cluster.work / "down.out").exists() and cluster.output("down.out"), why="it did not start")
    cluster.kill("slurmd-cn01")
    cluster.open_gate("down")
    cluster.until(lambda: not cluster.stepds(job), why="the script goes on")
    assert site.runs("epilog_slurmd", job) == 0
    site.start("slurmd-cn01")
    assert cluster.until_ended(job)[job] == "COMPLETED"
    assert site.runs("epilog_slurmd", job) == 1


def test_what_a_prolog_leaves_running_on_purpose_lives_as_long_as_its_epilog_wants(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    folder = cluster.root / "site"
    (folder).mkdir(parents=True)
    for name, text in (("prolog", f"setsid sleep 300 >/dev/null 2>&1 & echo $! >{folder}/daemon"), ("epilog", f"kill $(cat {folder}/daemon)")):
        (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
        (folder / name).chmod(0o755)
    cluster.up()
    conf = cluster.folder / "slurm.conf"
    conf.write_text(conf.read_text() + f"Prolog={folder}/prolog\nEpilog={folder}/epilog\n")
    cluster.ok("scontrol", "reconfigure")
    _, status = cluster.finish("-o", "alive.out", "--wrap", f"kill -0 $(cat {folder}/daemon) && echo alive")
    assert (status, cluster.output("alive.out")) == (0, "alive\n")


def test_alloc_runs_several_prologs_by_name_on_all_nodes_before_anything_starts_and_a_time_out_ends_one(fresh: Maker) -> None:
    cluster = fresh("--nodes", "2", "--cpus", "4")
    site = Site(cluster, more="Prolog=SITE/prolog.d/*\nPrologFlags=Alloc,DeferBatch\nPrologTimeout=2\n")
    for name in ("20-second", "10-first"):
        site.script(f"prolog.d/{name}")
    waiting = site.say("wait.prolog_slurmd")
    job = cluster.sbatch("-N2", "-o", "deferred.out", "--wrap", "echo ran")
    site.until_runs("prolog_slurmd", job, "cn02")
    assert cluster.ok("squeue", "-h", "-j", job, "-o", "%t").strip() == "CF"
    waiting.unlink()
    assert cluster.until_ended(job)[job] == "COMPLETED"
    for node in ("cn01", "cn02"):
        assert (site.told / f"prolog_slurmd.{job}.{node}.runs").read_text() == "prolog.d/10-first\nprolog.d/20-second\n"
    job = cluster.ok("salloc", "-N2", "-Q", "bash", "-c", "echo $SLURM_JOB_ID").strip()
    assert site.runs("prolog_slurmd", job, "cn01") == site.runs("prolog_slurmd", job, "cn02") == 2
    site.say("wait.prolog_slurmd")
    job = cluster.sbatch("-w", "cn01", "--wrap", "true")
    cluster.until(lambda: site.reason() == "drained Prolog error", why="the prolog was not ended")
    assert "it took too long and was ended" in (cluster.folder / "log" / "slurmd-cn01.log").read_text()
    cluster.ok("scancel", job)


def test_flags_that_cannot_be_together_are_refused(fresh: Maker) -> None:
    cluster = fresh("--nodes", "1")
    cluster.up()
    conf = cluster.folder / "slurm.conf"
    conf.write_text(conf.read_text() + "PrologFlags=NoHold,X11\n")
    result = cluster.run("scontrol", "reconfigure")
    assert result.status != 0 and "PrologFlags=NoHold and Contain cannot be combined" in result.err
