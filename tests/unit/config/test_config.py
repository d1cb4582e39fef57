"""Config: defaults, types, warnings, the seed's configuration, files on disk."""

from pathlib import Path

import pytest

from slurm.config.config import Config, find_conf, load, parse
from slurm.config.keys import read_keys
from slurm.model.errors import ConfigError

HERE = Path(__file__).parent
SMALL = "SlurmctldHost=head\nNodeName=n[1-2] CPUs=4\nPartitionName=p Nodes=ALL Default=YES\n"


def small(text: str = "") -> Config:
    return parse(SMALL + text)


def test_a_key_that_is_not_written_has_slurms_default() -> None:
    conf = small()
    assert conf.number("MaxJobCount") == 10000
    assert conf.slurmctld_port == 6817
    assert conf.text("SchedulerType") == "sched/backfill"
    assert conf["JobCompType"] is None
    assert conf.text("MailDomain") == ""
    assert conf.words("GresTypes") == []
    assert conf.flag("JobRequeue")
    assert conf.written("MaxJobCount") is None


def test_a_key_is_read_as_its_kind() -> None:
    conf = small("KillWait=7\nOverTimeLimit=5\nPriorityMaxAge=14-0\nDefMemPerCPU=2G\nSlurmctldDebug=6\nSlurmctldPort=7000-7003\nDISABLEROOTJOBS=yes\n")
    assert conf.seconds("KillWait") == 7
    assert (conf.number("OverTimeLimit"), conf.seconds("OverTimeLimit")) == (5, 300)
    assert conf.seconds("PriorityMaxAge") == 14 * 86400
    assert conf.number("DefMemPerCPU") == 2048
    assert conf.text("SlurmctldDebug") == "debug2"
    assert conf.slurmctld_port == 7000
    assert conf.flag("DisableRootJobs")
    assert str(conf.written("killwait")) == "slurm.conf:4"


def test_switches_are_asked_by_name() -> None:
    assert small("SchedulerParameters=bf_window=1440,bf_continue").options("SchedulerParameters") == {"bf_window": "1440", "bf_continue": ""}


def test_a_key_that_is_no_row_of_the_table_cannot_be_asked() -> None:
    with pytest.raises(KeyError):
        small().text("NoSuchKey")


def test_a_number_cannot_be_asked_of_text() -> None:
    with pytest.raises(TypeError, match="ClusterName holds no number"):
        small().number("ClusterName")


def test_controllers_keep_their_rank_and_address() -> None:
    conf = parse("SlurmctldHost=a(10.0.0.1)\nSlurmctldHost=b\nNodeName=n\nPartitionName=p Nodes=n")
    assert [(each.host, each.addr) for each in conf.controllers] == [("a", "10.0.0.1"), ("b", "b")]
    assert conf.warnings == []


def test_a_key_written_twice_keeps_the_latest_value_and_warns() -> None:
    conf = small("KillWait=1\nKillWait=2\n")
    assert conf.number("KillWait") == 2
    assert conf.warnings == ["slurm.conf:5: KillWait specified more than once, latest value used (first at slurm.conf:4)"]


def test_a_key_that_is_not_carried_out_warns_once_and_its_default_does_not() -> None:
    assert small("InactiveLimit=0\nMpiDefault=none\nTaskPlugin=task/none\n").warnings == []
    conf = small("NodeName=x TRESWeights=5\nNodeName=y TRESWeights=6\nUsePam=yes\n")
    assert conf.warnings == [
        "slurm.conf:4: TRESWeights is not carried out yet: nodes are chosen by their Weight only",
        "slurm.conf:6: UsePam is not carried out yet: PAM is not asked"]


def test_a_switch_that_is_not_carried_out_warns_by_its_name() -> None:
    conf = small("SchedulerParameters=bf_window=60,pack_serial_at_end\n")
    assert conf.warnings == ["slurm.conf:4: SchedulerParameters=pack_serial_at_end is not carried out yet"]


@pytest.mark.parametrize(("line", "valid"), [
    ("KillWait=soon", "valid: a whole number of seconds, or INFINITE"),
    ("ReturnToService=-1", "valid: a whole number, not negative"),
    ("SchedulerType=sched/wiki", "valid: sched/backfill, sched/builtin"),
    ("DisableRootJobs=maybe", "valid: YES, NO"),
    ("SlurmctldPort=70000", "valid: a port from 1 to 65535"),
    ("SlurmctldDebug=loud", "valid: quiet, fatal"),
    ("DefMemPerCPU=lots", "a whole number with K, M"),
    ("PriorityMaxAge=long", "days-hours"),
    ("PartitionName=q OverSubscribe=MAYBE", "valid: NO, EXCLUSIVE, YES"),
])
def test_a_wrong_value_says_what_would_be_valid(line: str, valid: str) -> None:
    with pytest.raises(ConfigError) as caught:
        small(line)
    first, written, hint = caught.value.lines()
    key, value = line.rsplit(" ", 1)[-1].split("=")
    assert first == f"slurm.conf:4: {key}={value} is no value for {key}"
    assert written == f"    {line}"
    assert valid in hint


def test_what_only_the_controller_knows_cannot_be_written() -> None:
    with pytest.raises(ConfigError, match="BOOT_TIME is shown by scontrol, and cannot be written"):
        small("BOOT_TIME=2026")


@pytest.mark.parametrize(("text", "said"), [
    ("NodeName=n\nPartitionName=p Nodes=n", "SlurmctldHost is not configured"),
    ("SlurmctldHost=a", "No nodes configured"),
    ("SlurmctldHost=a\nNodeName=n", "No partitions configured"),
])
def test_a_configuration_without_a_cluster_in_it_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^slurm.conf: {said}"):
        parse(text)


def test_the_seeds_configuration_loads_unchanged_and_every_key_of_it_is_carried_out() -> None:
    conf = load(str(HERE / "seed001" / "slurm.conf"))
    assert conf.cluster_name == "lambda-cluster"
    assert [node.name for node in conf.nodes] == [f"lambda-gpu-{number:03d}" for number in range(1, 33)]
    first, last = conf.nodes[0], conf.nodes[-1]
    assert (first.cpus, first.sockets, first.cores_per_socket, first.threads_per_core, first.real_memory) == (64, 2, 32, 1, 515000)
    assert (first.features, first.gres, last.features, last.gres) == (["h100"], "gpu:h100:8", ["h200"], "gpu:h200:8")
    assert [(p.name, len(p.nodes), p.max_time, p.default) for p in conf.partitions] == [
        ("gpu", 32, 604800, True), ("interactive", 4, 7200, False), ("batch", 28, 604800, False)]
    assert conf.detection.of("lambda-gpu-001") == "nvml"
    assert conf.warnings == []


def test_the_seeds_gpus_are_told_apart_by_type_though_they_share_files() -> None:
    conf = load(str(HERE / "seed001" / "slurm.conf"))
    for name, kind, cores in (("lambda-gpu-001", "h100", range(32)), ("lambda-gpu-032", "h200", range(32, 64))):
        devices = conf.devices(name)
        assert [device.file for device in devices] == [f"/dev/nvidia{index}" for index in range(8)]
        assert [device.index for device in devices] == list(range(8))
        assert all(device.type == kind and device.cores == list(cores) and device.count == 1 for device in devices)


def test_paths_of_a_node_carry_its_name() -> None:
    conf = small("NodeName=x NodeHostname=host7\nSlurmdSpoolDir=/var/%h/%n\n")
    assert conf.for_node("SlurmdSpoolDir", conf.nodes_by_name["x"]) == "/var/host7/x"


def test_files_beside_it_and_included_ones_are_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "slurm.conf").write_text("SlurmctldHost=head\nGresTypes=gpu\nInclude nodes.conf\nPartitionName=p Nodes=ALL\n")
    (tmp_path / "nodes.conf").write_text("NodeName=n1 Gres=gpu:1\n")
    (tmp_path / "gres.conf").write_text("Name=gpu File=/dev/nvidia0\n")
    (tmp_path / "cgroup.conf").write_text("ConstrainCores=yes\nAllowedRAMSpace=98.5\n")
    conf = load(str(tmp_path / "slurm.conf"))
    assert conf.devices("n1")[0].file == "/dev/nvidia0"
    assert (conf.cgroup.cores, conf.cgroup.devices, conf.cgroup.allowed_ram) == (True, False, 98.5)
    assert conf.warnings == [f"{tmp_path}/slurm.conf: cgroup.conf constrains jobs, which has no effect without task/cgroup in TaskPlugin"]


@pytest.mark.parametrize(("text", "wrong"), [
    ("ConstrainCores=perhaps", "valid: YES, NO"), ("AllowedRAMSpace=-1", "valid: a percentage"), ("MemorySwappiness=101", "from 0 to 100"),
    ("CgroupPlugin=cgroup/v3", "valid: cgroup/v1")])
def test_a_wrong_value_in_cgroup_conf_is_told_with_its_line(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "slurm.conf").write_text("SlurmctldHost=head\nNodeName=n1\nPartitionName=p Nodes=ALL\n")
    (tmp_path / "cgroup.conf").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(str(tmp_path / "slurm.conf"))
    assert f"{tmp_path}/cgroup.conf:1: " in str(caught.value.lines()) and wrong in str(caught.value.lines())


def test_a_missing_file_says_what_to_do() -> None:
    with pytest.raises(ConfigError) as caught:
        load("/no/such/slurm.conf")
    assert caught.value.lines() == [
        "/no/such/slurm.conf: No such file or directory", "  start a cluster of your own with `slurm up`, or set SLURM_CONF to the slurm.conf of one"]


def test_commands_read_the_keys_and_pass_over_nodes_and_partitions(tmp_path: Path) -> None:
    path = tmp_path / "slurm.conf"
    path.write_text("SlurmctldHost=head(10.0.0.1)\nSlurmctldPort=7000\nNodeName=n[1-x]\nPartitionName=p Bogus=1\n")
    keys = read_keys(str(path))
    assert (keys.controllers[0].host, keys.controllers[0].addr, keys.slurmctld_port) == ("head", "10.0.0.1", 7000)
    path.write_text("SlurmctldHst=head\n")
    with pytest.raises(ConfigError, match="unrecognized key: SlurmctldHst"):
        read_keys(str(path))


def test_the_configuration_is_looked_for_where_slurm_conf_says() -> None:
    assert find_conf({"SLURM_CONF": "/tmp/a.conf"}) == "/tmp/a.conf"
    assert find_conf({}) in (None, "/etc/slurm/slurm.conf")
