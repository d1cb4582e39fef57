"""What the configuration wants measured, and what of it a step is told."""

from __future__ import annotations

import pytest

from slurm.config.config import parse
from slurm.model import bounds
from slurm.model.accounting import Extreme, TresUsage, Usage
from slurm.model.errors import ConfigError
from slurm.model.settings import Settings
from slurm.slurmd import usage
from slurm.slurmd.stepd.folder import StepRecord

CLUSTER = "ClusterName=c\nSlurmctldHost=h\nNodeName=cn01 CPUs=4\nPartitionName=p Nodes=ALL Default=YES\n"
RECORD = StepRecord(1, 1, 0, "cn01", 0, 0, "root", [], {}, "/", {}, sample_seconds=-1)


def gathering(lines: str) -> usage.Gathering:
    return usage.read(parse(CLUSTER + lines))


def test_without_a_word_nobody_looks_while_a_step_runs():
    assert gathering("").kind == gathering("JobAcctGatherType=jobacct_gather/none\n").kind == ""
    assert usage.measured(gathering("JobAcctGatherFrequency=task=5\n"), RECORD, "/spool")["sample_seconds"] == 0.0


def test_a_job_may_have_its_own_interval():
    found = gathering("JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherFrequency=task=20,energy=7\n")
    assert [usage.measured(found, RECORD._replace(sample_seconds=asked), "/spool")["sample_seconds"] for asked in (-1, 0, 5)] == [20.0, 0.0, 5.0]
    assert usage.measured(found, RECORD, "/spool")["energy_seconds"] == 7.0


def test_every_switch_is_carried_out():
    words = "JobAcctGatherType=jobacct_gather/cgroup\nJobAcctGatherParams="
    assert gathering(words + "UsePss\n").memory_by == "pss"
    assert gathering(words + "NoShared\n").memory_by == "noshared"
    assert gathering(words + "OverMemoryKill\n").memory_looks == 30.0
    assert gathering(words + "OverMemoryKill,NoOverMemoryKill\n").memory_looks == 0.0
    assert usage.measured(gathering(words + "OverMemoryKill\n"), RECORD._replace(gpus=True), "/spool") == {
        "memory_looks": 30.0, "sample_seconds": 30.0, "memory_by": "rss", "cgroup_usage": True, "gpu_readings": "/spool/gpu_readings", "energy": False, "energy_seconds": 0.0}
    assert usage.measured(gathering(words + "DisableGPUAcct\n"), RECORD._replace(gpus=True), "/spool")["gpu_readings"] == ""
    assert gathering("AcctGatherEnergyType=acct_gather_energy/rapl\n").energy


@pytest.mark.parametrize(("lines", "said"), [
    ("JobAcctGatherParams=UsePss,NoShared\n", "one excludes the other"), ("JobAcctGatherFrequency=often\n", "JobAcctGatherFrequency=often: no number of seconds"),
    ("JobAcctGatherType=jobacct_gather/aix\n", "JobAcctGatherType")])
def test_what_cannot_be_is_refused(lines, said):
    with pytest.raises(ConfigError, match=said):
        gathering(lines)


@pytest.mark.parametrize("line", [
    "AcctGatherProfileType=acct_gather_profile/hdf5", "AcctGatherProfileType=acct_gather_profile/influxdb", "AcctGatherEnergyType=acct_gather_energy/ipmi",
    "AcctGatherFilesystemType=acct_gather_filesystem/lustre", "AcctGatherInterconnectType=acct_gather_interconnect/ofed"])
def test_what_is_not_measured_is_said_once_with_a_sentence(line):
    key = line.partition("=")[0]
    warned = [warning for warning in parse(f"{CLUSTER}{line}\n").warnings if key in warning]
    assert len(warned) == 1
    assert "not carried out yet" in warned[0]


def test_figures_of_tasks_become_sums_and_extremes_of_this_node():
    figures = {"tasks": [[4, 1.0, 0.5, 100, 200, 1, 7, 8], [5, 2.0, 0.0, 50, 300, 0, 9, 2]], "step": [2.0, 1.25], "gpus": [[10, 90, 40], [20, 30, 20]], "energy": 77}
    found = usage.of(figures, "cn07")
    assert (found.user_seconds, found.system_seconds) == (3.0, 1.25)
    assert found.taken["cpu"] == TresUsage(3500, 2, Extreme(2000, "cn07", 5), Extreme(1500, "cn07", 4))
    assert found.taken["mem"] == TresUsage(150, 2, Extreme(100, "cn07", 4), Extreme(50, "cn07", 5))
    assert found.taken["gres/gpuutil"] == TresUsage(60, 2, Extreme(90, "cn07", 4), Extreme(30, "cn07", 5))
    assert found.taken["energy"] == TresUsage(77, 1, Extreme(77, "cn07", 4), Extreme(77, "cn07", 4))
    assert (found.given["fs/disk"].total, found.taken["vmem"].total, found.taken["pages"].total) == (10, 500, 1)


@pytest.mark.parametrize("told", [None, {}, {"tasks": []}, {"tasks": [[1, 2]]}, {"tasks": "much"}, {"user_seconds": 1.5}])
def test_usage_that_cannot_be_read_costs_nothing_but_itself(told):
    assert usage.of(told, "cn07") is None


def test_no_figure_exceeds_what_may_be_told():
    found = usage.of({"tasks": [[0, 1.0, 0.0, 2**63, -5, 0, 0, 0]]}, "cn07")
    bounds.checker(Usage)(found, "", Settings())
