"""From a configuration to settings, nodes and partitions."""

import os
from pathlib import Path

import pytest

from slurm.config.config import Config, parse
from slurm.model.errors import ConfigError
from slurm.model.states import NodeState
from slurm.slurmctld import setup
from slurm.slurmctld.__main__ import main

BASE = "ClusterName=test\nSlurmctldHost=head\nNodeName=cn[01-02] CPUs=4 RealMemory=4000{node}\nPartitionName=debug Nodes=ALL Default=YES\n{more}\n"


def conf(*more: str, node: str = "", gres: str | None = None) -> Config:
    return parse(BASE.format(node=f" {node}" if node else "", more="\n".join(more)), gres=gres)


def test_times_sizes_and_switches_arrive_in_the_units_of_settings() -> None:
    found = setup.settings_of(conf(
        "KillWait=7", "SlurmdTimeout=60", "SchedulerParameters=bf_window=2880,bf_resolution=30,default_queue_depth=77,max_script_size=5000",
        "SelectTypeParameters=CR_CPU_Memory", "DefMemPerCPU=500", "SchedulerType=sched/builtin", "PriorityMaxAge=1-0"), [5])
    assert (found.kill_wait, found.slurmd_timeout, found.backfill_window, found.backfill_resolution) == (7, 60, 2880 * 60, 30)
    assert found.max_script_size == 5000
    assert (found.default_queue_depth, found.select_unit, found.select_memory, found.def_mem_per_cpu) == (77, "cpu", True, 500)
    assert (found.scheduler, found.priority_max_age, found.operators) == ("builtin", 86400, [5])


def test_switches_of_the_scheduler_arrive() -> None:
    numbers = ("bf_max_job_user", "bf_max_job_part", "bf_max_job_user_part", "bf_max_job_assoc", "bf_max_job_start", "bf_max_time", "bf_min_age_reserve",
               "bf_min_prio_reserve", "bf_job_part_count_reserve", "partition_job_depth", "sched_max_job_start", "max_sched_time", "sched_min_interval", "sched_interval")
    text = ",".join([f"{name}={i + 2}" for i, name in enumerate(numbers)] + ["bf_one_resv_per_job", "assoc_limit_stop"])
    found = setup.settings_of(conf(f"SchedulerParameters={text}"), [])
    assert [found.backfill_max_user, found.backfill_max_partition, found.backfill_max_user_partition, found.backfill_max_association, found.backfill_max_starts,
            found.backfill_max_time, found.backfill_min_age, found.backfill_min_priority, found.backfill_reservations, found.partition_job_depth,
            found.sched_max_starts, found.sched_max_time, found.sched_min_interval, found.sched_interval] == list(range(2, 16))
    assert found.backfill_one_reservation and found.assoc_limit_stop
    assert setup.settings_of(conf("SchedulerParameters=bf_interval=-1"), []).scheduler == "builtin"


@pytest.mark.parametrize("text", ["bf_window=x", "bf_window=", "bf_window=-1", "bf_resolution=0", "bf_max_job_user=-2", "bf_interval=-2", "bf_max_time=1.5"])
def test_what_is_no_number_of_a_scheduler_switch_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=text.partition("=")[0]):
        setup.settings_of(conf(f"SchedulerParameters={text}"), [])


def test_licences_arrive_with_their_numbers() -> None:
    assert setup.settings_of(conf("Licenses=matlab:10,ansys"), []).licenses == {"matlab": 10, "ansys": 1}
    with pytest.raises(ConfigError, match="Licenses=a\\|b"):
        setup.settings_of(conf("Licenses=a|b"), [])


def test_memory_is_no_resource_unless_the_configuration_says_so() -> None:
    assert not setup.settings_of(conf("SelectTypeParameters=CR_Core"), []).select_memory


def test_minjobage_zero_means_for_ever() -> None:
    assert setup.settings_of(conf("MinJobAge=0"), []).min_job_age == setup.NEVER_SECONDS
    assert setup.settings_of(conf("MinJobAge=2"), []).min_job_age == 2


def test_exit_codes_that_requeue_are_codes_and_ranges() -> None:
    found = setup.settings_of(conf("RequeueExit=1-3,142", "RequeueExitHold=9"), [])
    assert (found.requeue_exit, found.requeue_exit_hold) == ([1, 2, 3, 142], [9])


@pytest.mark.parametrize("text", ["x", "0", "256", "5-3", "1-", "-1", "1-2-3"])
def test_what_is_no_exit_code_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="RequeueExit="):
        setup.settings_of(conf(f"RequeueExit={text}"), [])


def test_devices_become_pools_with_their_files_in_order() -> None:
    found = conf("GresTypes=gpu", node="Gres=gpu:a100:2,gpu:h100:1", gres="Name=gpu Type=a100 File=/dev/nvidia[0-1]\nName=gpu Type=h100 File=/dev/nvidia2\n")
    node = setup.configured(found, 0.0, []).nodes[0]
    assert [(p.type, p.count, p.first, p.files) for p in node.gres] == [
        ("a100", 2, 0, ["/dev/nvidia0", "/dev/nvidia1"]), ("h100", 1, 2, ["/dev/nvidia2"])]


def test_resources_without_files_have_no_list_of_files() -> None:
    found = conf("GresTypes=gpu,tape", node="Gres=gpu:2,tape:4", gres="Name=gpu File=/dev/g[0-1]\nName=tape Count=4\n")
    assert {p.name: (p.count, p.files) for p in setup.configured(found, 0.0, []).nodes[0].gres} == {
        "gpu": (2, ["/dev/g0", "/dev/g1"]), "tape": (4, [])}


def test_a_resource_counted_in_billions_is_left_out_and_said() -> None:
    found = conf("GresTypes=gpu,bandwidth", node="Gres=gpu:1,bandwidth:4G")
    event = setup.configured(found, 0.0, [])
    assert [p.name for p in event.nodes[0].gres] == ["gpu"]
    (said,) = setup.left_out(found)
    assert "bandwidth" in said and "not supported" in said


def test_states_of_nodes_are_taken_from_their_lines() -> None:
    node = setup.configured(conf(node="State=DRAIN Reason=cooling"), 0.0, []).nodes[0]
    assert node.drain and node.reason == "cooling" and node.state is NodeState.UNKNOWN
    assert setup.configured(conf(node="State=FUTURE"), 0.0, []).nodes[0].state is NodeState.FUTURE
    assert setup.configured(conf(node="State=DOWN"), 0.0, []).nodes[0].state is NodeState.DOWN


def test_slurmuser_and_the_daemons_own_user_administrate() -> None:
    assert setup.operators(conf("SlurmUser=12345")) == sorted({12345, os.getuid()} - {0})
    with pytest.raises(ConfigError, match="there is no such user"):
        setup.operators(conf("SlurmUser=nobody-of-this-name"))


def test_changes_that_need_a_restart_are_named() -> None:
    said = setup.needs_restart(conf("SlurmctldPort=6817"), conf("SlurmctldPort=6900", "KillWait=3"))
    assert len(said) == 1 and said[0].startswith("SlurmctldPort was changed")


def test_cores_set_aside_are_the_last_ones_or_with_spec_cores_first_the_first_and_lists_take_whole_cores() -> None:
    lines = "NodeName=a Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 CoreSpecCount=3\nNodeName=b Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 CpuSpecList=1,5"
    for keys, first in (("", [6, 7, 12, 13, 14, 15]), ("SchedulerParameters=spec_cores_first", [0, 1, 2, 3, 8, 9])):
        nodes = setup.configured(conf(f"{keys}\nAllowSpecResourcesUsage=yes\n{lines}"), 0.0, []).nodes[-2:]
        assert [(list(node.spec_cpus), node.spec_cores) for node in nodes] == [(first, 3), ([0, 1, 4, 5], 2)]


def test_cores_of_devices_are_cores_also_where_each_has_two_threads() -> None:
    shape = "Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 Gres=gpu:2"
    lines = "NodeName=a Name=gpu File=/dev/g0 Cores=0-3\nNodeName=a Name=gpu File=/dev/g1 Cores=4-7\nNodeName=b Name=gpu File=/dev/g[0-1] Cores=8-15\n"
    nodes = setup.configured(conf(f"GresTypes=gpu\nNodeName=a {shape}\nNodeName=b {shape}", gres=lines), 0.0, []).nodes[-2:]
    assert [[list(pool.cores) for pool in node.gres] for node in nodes] == [[list(range(8)), list(range(8, 16))], [list(range(8, 16))]], "b has CPU numbers written"


@pytest.mark.parametrize("line", ["Licenses=matlab:abc", "PreemptType=preempt/foo"])
def test_slurmctld_t_says_what_slurmctld_would_not_start_with(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "slurm.conf"
    path.write_text(BASE.format(node="", more=line))
    assert main(["-t", "-f", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: {line}") and lines[-1] == f"{path}: cannot be used"


def test_flags_of_prologs_bring_what_they_imply_and_what_cannot_be_together_is_refused() -> None:
    for text, flags in (("", []), ("Alloc", ["alloc"]), ("Contain", ["alloc", "contain"]), ("RunInJob", ["alloc", "contain", "runinjob"]),
            ("x11,Serial", ["alloc", "contain", "serial", "x11"]), ("DeferBatch", ["alloc", "deferbatch"])):
        assert setup.prolog_flags(conf(f"PrologFlags={text}" if text else "")) == flags
    for text in ("NoHold,Contain", "X11,NoHold"):
        with pytest.raises(ConfigError, match="NoHold and Contain cannot be combined"):
            setup.prolog_flags(conf(f"PrologFlags={text}"))
