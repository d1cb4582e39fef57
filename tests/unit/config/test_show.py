"""`scontrol show config` against what Slurm 26.11 printed for the same file."""

from pathlib import Path

from slurm.config.config import parse
from slurm.config.show import show

LAB = Path(__file__).parent / "lab"
LIVE = {
    "AS_OF": "2026-11-21T00:42:40", "BOOT_TIME": "2026-11-21T00:38:05", "NEXT_JOB_ID": "101", "SLURM_VERSION": "26.11.0-0rc1",
    "SLURM_CONF": "/etc/slurm/slurm.conf",
}
SMALL = "SlurmctldHost=head\nNodeName=n1\nPartitionName=p Nodes=ALL\n"


def shown(text: str) -> dict[str, str]:
    lines = show(parse(text), LIVE, lambda name: {"root": 0}.get(name)).splitlines()
    return {name.strip(): value for name, equals, value in (line.partition(" = ") for line in lines) if equals}


def test_the_lab_cluster_is_shown_line_by_line_as_slurm_shows_it() -> None:
    conf = parse((LAB / "slurm.conf").read_text(), "/etc/slurm/slurm.conf", gres=(LAB / "gres.conf").read_text())
    golden = (LAB / "show_config.txt").read_text().rstrip("\n").split("\n")
    assert show(conf, LIVE, lambda name: {"root": 0}.get(name)).rstrip("\n").split("\n") == golden


def test_memory_defaults_are_shown_for_nodes_when_nothing_or_that_is_written() -> None:
    assert shown(SMALL)["DefMemPerNode"] == "UNLIMITED"
    assert shown(SMALL + "DefMemPerNode=2G")["DefMemPerNode"] == "2048"
    assert shown(SMALL + "MaxMemPerCPU=4000")["MaxMemPerCPU"] == "4000"


def test_several_controllers_are_numbered_and_only_the_first_is_said_to_be_up() -> None:
    text = show(parse(SMALL + "SlurmctldHost=spare(10.0.0.2)"), LIVE)
    assert "SlurmctldHost[0]        = head\nSlurmctldHost[1]        = spare(10.0.0.2)\n" in text
    assert text.endswith("\nSlurmctld(primary) at head is UP\nSlurmctld(backup) at spare is DOWN\n")


def test_units_follow_the_kind_of_the_key() -> None:
    found = shown(SMALL + "KillWait=7\nOverTimeLimit=UNLIMITED\nPriorityMaxAge=1-12\nSuspendTime=600\nDisableRootJobs=YES\nEioTimeout=5\n")
    assert found["KillWait"] == "7 sec"
    assert found["OverTimeLimit"] == "UNLIMITED"
    assert found["PriorityMaxAge"] == "1-12:00:00"
    assert found["SuspendTime"] == "600 sec"
    assert found["DisableRootJobs"] == "yes"
    assert found["EioTimeout"] == "5"


def test_a_user_nobody_knows_is_shown_as_such() -> None:
    assert shown(SMALL + "SlurmUser=ghost")["SlurmUser"] == "ghost(nobody)"


def test_the_boot_time_may_come_in_seconds() -> None:
    conf = parse(SMALL)
    assert "BOOT_TIME               = 20" in show(conf, {"BOOT_TIME": "1763685485", "NEXT_JOB_ID": "1"})
