"""--clusters: the clusters that slurmdbd knows, each asked by one call of squeue, sinfo, scancel, scontrol, sbatch, sprio, sshare, sdiag."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from slurm.commands import sbatch, scancel, scontrol, sdiag, sinfo, sprio, squeue, sshare
from slurm.commands.shell import Shell
from slurm.model.errors import NotPermitted, Unreachable, Unsupported
from slurm.net import other_cluster

KNOWN = [{"name": "here", "control_host": "h1", "control_port": 6817}, {"name": "there", "control_host": "h2", "control_port": 6818},
         {"name": "gone"}]


class Cluster:
    """A slurmctld that answers with its name."""

    def __init__(self, name: str, asked: list[tuple[str, dict[str, Any]]], start: float | None) -> None:
        self.name = name
        self.asked = asked
        self.start = start

    def call(self, message: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((self.name, message))
        if message["type"] == "TestJob":
            if self.start is None:
                raise NotPermitted()
            return {"start": self.start, "job_id": 1}
        return {
            "ListPolicy": {"cluster": "here", "clusters": KNOWN}, "ListJobs": {"rows": [[f"{self.name}-{field}" for field in message.get("fields", [])]]},
            "ListNodes": {"rows": [[f"{self.name}-{field}" for field in message.get("fields", [])]]}, "SubmitJob": {"job_id": 7},
            "CancelJobs": {"done": [7], "refused": [], "unknown": []}, "Describe": {"text": f"{self.name} says so\n"}}[message["type"]]

    def close(self) -> None:
        """Nothing is open."""


class Site:
    """The own cluster `here`, and `there`; `starts` says when each would start a job, None that it takes none."""

    def __init__(self, starts: Mapping[str, float | None] | None = None) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.reached: list[tuple[str, str, int]] = []
        self.starts = starts or {}
        self.out = io.StringIO()
        self.err = io.StringIO()

    def run(self, main: Callable[[Shell], int], *argv: str, **environ: str) -> int:
        def connect_to(environ: Mapping[str, str], name: str, host: str, port: int) -> Any:
            self.reached.append((name, host, port))
            return Cluster(name, self.asked, self.starts.get(name, 1.0))

        return main(Shell(
            main.__module__.rpartition(".")[2], argv, environ, io.BytesIO(b"#!/bin/sh\n"), self.out, self.err,
            connect=lambda _: Cluster("here", self.asked, self.starts.get("here", 1.0)), connect_to=connect_to))  # type: ignore[arg-type, return-value]

    def of(self, kind: str) -> list[str]:
        """Which clusters were asked this."""
        return [name for name, message in self.asked if message["type"] == kind]


@pytest.mark.parametrize(("main", "kind"), [(squeue.main, "ListJobs"), (sinfo.main, "ListNodes")])
def test_each_cluster_shows_its_own_under_its_name(main: Callable[[Shell], int], kind: str) -> None:
    site = Site()
    assert site.run(main, "-h", "-o", "%P", "--clusters=here,there") == 0
    assert site.out.getvalue() == "CLUSTER: here\nhere-Partition\n\nCLUSTER: there\nthere-Partition\n".replace(
        "Partition", site.asked[1][1]["fields"][0])
    assert site.of(kind) == ["here", "there"] and site.reached == [("there", "h2", 6818)]


def test_a_variable_names_clusters_too_and_all_are_those_that_are_connected() -> None:
    site = Site()
    assert site.run(squeue.main, "-h", "-o", "%i", SLURM_CLUSTERS="there") == 0 and site.of("ListJobs") == ["there"]
    assert Site().run(squeue.main, "-h", "-o", "%i") == 0


@pytest.mark.parametrize("names", ["nope", "here,nope", "gone"])
def test_a_cluster_that_is_not_there_is_refused_in_slurms_words_before_anything_is_done(names: str) -> None:
    site = Site()
    assert site.run(scancel.main, "-M", names, "7") == 1
    assert site.err.getvalue().splitlines()[0] == (
        f"scancel: error: '{names.rpartition(',')[2]}' can't be reached now, or it is an invalid entry for --cluster.  "
        "Use 'sacctmgr list clusters' to see available clusters.")
    assert "clusters that can be reached: here, there" in site.err.getvalue() and not site.of("CancelJobs")


def test_jobs_are_ended_on_each_cluster_that_is_named() -> None:
    site = Site()
    assert site.run(scancel.main, "--clusters=here,there", "7") == 0 and site.of("CancelJobs") == ["here", "there"]


def test_a_job_goes_to_the_cluster_that_starts_it_first_and_its_name_is_told() -> None:
    site = Site({"here": 900.0, "there": 500.0})
    assert site.run(sbatch.main, "--clusters=here,there", "--wrap", "true") == 0
    assert site.out.getvalue() == "Submitted batch job 7 on cluster there\n" and site.of("SubmitJob") == ["there"]
    site = Site({"here": 900.0, "there": None})
    assert site.run(sbatch.main, "-M", "here,there", "--parsable", "--wrap", "true") == 0 and site.out.getvalue() == "7;here\n"
    site = Site({"here": None, "there": None})
    assert site.run(sbatch.main, "-M", "here,there", "--wrap", "true") == 1 and not site.of("SubmitJob")


def test_one_cluster_is_not_asked_when_it_would_start_the_job() -> None:
    site = Site()
    assert site.run(sbatch.main, "--clusters=there", "--wrap", "true") == 0 and site.of("TestJob") == [] and site.of("SubmitJob") == ["there"]


@pytest.mark.parametrize("flag", ["--cluster=there", "--clusters=there", "-Mthere"])
def test_scontrol_speaks_to_one_other_cluster(flag: str) -> None:
    site = Site()
    assert site.run(scontrol.main, flag, "show", "config") == 0 and site.out.getvalue() == "there says so\n"
    site = Site()
    assert site.run(scontrol.main, "--clusters=here,there", "show", "config") == 1 and "Only one cluster" in site.err.getvalue()


@pytest.mark.parametrize(("main", "flag"), [(sprio.main, "--clusters=nope"), (sprio.main, "--cluster=nope"), (sshare.main, "--clusters=nope"),
    (sdiag.main, "--cluster=nope")])
def test_the_others_look_for_the_cluster_too(main: Callable[[Shell], int], flag: str) -> None:
    site = Site()
    assert site.run(main, flag) == 1 and "'nope' can't be reached now" in site.err.getvalue()


def test_several_clusters_are_not_shown_again_and_again() -> None:
    site = Site()
    assert site.run(squeue.main, "--iterate=1", "--clusters=here,there") == 1 and "--iterate with several" in site.err.getvalue()


@pytest.mark.parametrize("command", ["srun", "salloc"])
def test_allocations_of_another_cluster_are_refused_with_the_reason(command: str) -> None:
    from slurm.options.resolve import resolve

    with pytest.raises(Unsupported):
        resolve(command, ["--clusters=there", "true"], {})


def test_a_cluster_without_munge_or_a_token_is_not_spoken_to(tmp_path: Any) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text("ClusterName=here\nSlurmctldHost=h1\nAuthType=auth/slurm\n")
    with pytest.raises(Unsupported, match="cluster there cannot be reached from here with AuthType=auth/slurm"):
        other_cluster.connect({"SLURM_CONF": str(conf)}, "there", "h2", 6818)
    conf.write_text("ClusterName=here\nSlurmctldHost=h1\nAuthType=auth/munge\n")
    with pytest.raises(Unreachable) as failure:
        other_cluster.connect({"SLURM_CONF": str(conf)}, "there", "127.0.0.1", 1)
    assert "cluster there registered 127.0.0.1:1" in failure.value.hints
