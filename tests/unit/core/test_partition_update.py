"""scontrol update partitionname=."""

from __future__ import annotations

import pytest

from slurm.core import configuration, partition_update
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.partition_update import KEYS
from slurm.model.errors import SlurmError
from slurm.testing import builders as b


def change(c: Cluster, name: str = "batch", by: e.Caller = b.ROOT, **changes: str) -> None:
    for event in partition_update.update_partition(c, name, changes, by, b.T0):
        c.apply(event)


def refused(c: Cluster, name: str = "batch", by: e.Caller = b.ROOT, **changes: str) -> SlurmError:
    with pytest.raises(SlurmError) as raised:
        change(c, name, by, **changes)
    return raised.value


@pytest.mark.parametrize(("changes", "field", "value"), [
    ({"State": "down"}, "state", "DOWN"), ({"MaxTime": "1:00:00"}, "max_time", 3600), ({"MaxTime": "UNLIMITED"}, "max_time", -1),
    ({"DefaultTime": "NONE"}, "default_time", None), ({"MaxNodes": "2"}, "max_nodes", 2), ({"MaxNodes": "UNLIMITED"}, "max_nodes", -1),
    ({"Nodes": "cn[03,01]"}, "nodes", ["cn01", "cn03"]), ({"Nodes": "ALL"}, "nodes_text", "ALL"), ({"AllowGroups": "staff"}, "allow_groups", "staff"),
    ({"Hidden": "YES"}, "hidden", True), ({"PriorityTier": "5"}, "priority_tier", 5), ({"OverSubscribe": "force:2"}, "oversubscribe", "FORCE:2"),
    ({"OverTimeLimit": "2"}, "over_time_limit", 120), ({"DefMemPerCPU": "100"}, "def_mem_per_cpu", 100), ({"DenyQos": "(null)"}, "deny_qos", ""),
])
def test_keys_are_read_as_scontrol_spells_them(changes: dict[str, str], field: str, value: object) -> None:
    c = b.lab_cluster()
    change(c, **changes)
    assert getattr(c.partitions["batch"], field) == value


def test_there_is_one_default_partition() -> None:
    c = b.lab_cluster()
    change(c, Default="YES")
    assert c.default_partition() == "batch"
    assert not c.partitions["debug"].default


def test_refusals_have_slurms_words() -> None:
    c = b.lab_cluster()
    assert refused(c, "nosuch", State="up").message == "Invalid partition name specified"
    assert refused(c, by=b.BOB, State="up").message == "Invalid user id"
    assert refused(c, State="sideways").message == "Invalid input: state=sideways\nAcceptable State values are UP, DOWN, DRAIN and INACTIVE"
    assert refused(c, MaxTime="x").message == "Invalid input MaxTime=x"
    assert refused(c, MaxNodes="x").message == 'Invalid numeric value "x" for MaxNodes.'
    assert refused(c, minnodes="x").message == '"x" is not a valid node count'
    assert refused(c, prioritytier="x").message == "Invalid PriorityTier value: x"
    assert refused(c, Hidden="1").message == "Invalid input: Hidden=1"
    assert refused(c, Nodes="cn77").message == "Invalid node name specified"
    assert refused(c, Bogus="1").message == "Update of this parameter is not supported: Bogus=1"


def test_every_key_sets_fields_that_exist() -> None:
    c = b.lab_cluster()
    samples = ("1", "YES", "UP", "ALL", "NONE", "NO", "DefCpuPerGPU=1", "OFF")
    for key, read in KEYS.items():
        read_well = []
        for text in samples:
            try:
                read_well.append(configuration.encode(read(c, text)))
            except ValueError:
                continue
            except SlurmError:
                continue
        assert read_well, key


def test_the_mode_of_preemption_and_the_old_key_of_priority_are_taken() -> None:
    c = b.lab_cluster()
    change(c, PreemptMode="suspend", Priority="7")
    partition = c.partitions["batch"]
    assert (partition.preempt_mode, partition.priority_tier, partition.priority_job_factor) == ("SUSPEND", 7, 7)
    assert refused(c, PreemptMode="foo").message == "Invalid input: PreemptMode=foo"
