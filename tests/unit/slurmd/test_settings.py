"""What slurmd takes from slurm.conf for itself."""

from pathlib import Path

import pytest

from slurm.slurmd import settings


@pytest.mark.parametrize(("lines", "seconds"), [
    ("", 5.0), ("SlurmdTimeout=300\n", 5.0), ("SlurmdTimeout=6\n", 0.75), ("SlurmdTimeout=0\n", 5.0),
    ("SlurmdTimeout=16\nSlurmdParameters=fence_timeout=8\n", 1.0), ("SlurmdTimeout=1\n", 0.2)])
def test_slurmctld_is_tried_often_enough_not_to_be_taken_for_dead_by_one_that_was_started_again(tmp_path: Path, lines: str, seconds: float) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(f"ClusterName=lab\nSlurmctldHost=localhost\nSlurmdSpoolDir={tmp_path}/spool\nNodeName=cn01 CPUs=1\nPartitionName=p Nodes=cn01\n{lines}")
    read, _ = settings.read(str(conf), "cn01")
    assert read.longest_pause == seconds
