"""NodeName, NodeSet, DownNodes and PartitionName lines."""

import pytest

from slurm.config.check import traps
from slurm.config.config import Config, parse
from slurm.config.nodes import NodeConf
from slurm.model.errors import ConfigError

HEAD = "SlurmctldHost=head\nGresTypes=gpu\n"


def conf_of(text: str, partition: str = "PartitionName=p Nodes=ALL\n") -> Config:
    return parse(HEAD + text + "\n" + partition)


def node(text: str) -> NodeConf:
    return conf_of(text).nodes[0]


def refused(text: str, partition: str = "PartitionName=p Nodes=ALL\n") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        conf_of(text, partition)
    return caught.value.lines()


def test_default_lines_add_up_and_hold_for_the_lines_below_them() -> None:
    nodes = conf_of("NodeName=a\nNodeName=DEFAULT CPUs=8 RealMemory=100\nNodeName=b\nNodeName=DEFAULT RealMemory=200 Weight=3\nNodeName=c CPUs=2").nodes
    assert [(n.name, n.cpus, n.real_memory, n.weight) for n in nodes] == [("a", 1, 1, 1), ("b", 8, 100, 1), ("c", 2, 200, 3)]


def test_addresses_and_ports_are_dealt_out_along_the_range() -> None:
    nodes = conf_of("NodeName=n[1-3] NodeAddr=10.0.0.[1-3] NodeHostname=localhost Port=[7001-7003]").nodes
    assert [(n.name, n.addr, n.hostname, n.port) for n in nodes] == [
        ("n1", "10.0.0.1", "localhost", 7001), ("n2", "10.0.0.2", "localhost", 7002), ("n3", "10.0.0.3", "localhost", 7003)]


@pytest.mark.parametrize("text", ["7001-7002", "[7001-7002]", "7001,7002", "[7001,7002]"])
def test_a_range_of_ports_is_dealt_out_with_brackets_and_without(text: str) -> None:
    assert [n.port for n in conf_of(f"NodeName=n[1-2] Port={text}").nodes] == [7001, 7002]


def test_a_range_of_ports_that_is_too_short_is_told() -> None:
    assert "names 2, but NodeName=n[1-3] names 3" in refused("NodeName=n[1-3] Port=7001-7002")[0]


@pytest.mark.parametrize(("default", "own", "sockets"), [("Sockets=2", "SocketsPerBoard=1", 1), ("SocketsPerBoard=2", "Sockets=1", 1), ("Sockets=2", "Sockets=4 SocketsPerBoard=1", 1)])
def test_of_sockets_and_sockets_per_board_the_nodes_own_word_wins_with_a_warning(default: str, own: str, sockets: int) -> None:
    conf = conf_of(f"NodeName=DEFAULT {default}\nNodeName=a {own} CoresPerSocket=2")
    assert (conf.nodes[0].sockets, conf.nodes[0].cpus) == (sockets, 2 * sockets)
    assert any("Sockets=# and SocketsPerBoard=# is invalid, using Sockets" in line for line in conf.warnings)


def test_a_wrong_gres_of_a_range_is_told_once() -> None:
    assert sum("xpu is not in GresTypes" in line for line in refused("NodeName=n[1-2] Gres=xpu:2")) == 1


def test_an_old_priority_of_a_partition_is_its_tier_and_its_factor() -> None:
    lines = "PartitionName=p Nodes=ALL Priority=5\nPartitionName=q Nodes=ALL Priority=5 PriorityTier=2\n"
    assert [(p.priority_tier, p.priority_job_factor) for p in conf_of("NodeName=a", lines).partitions] == [(5, 5), (2, 5)]


OLD = """ControlMachine=head\nControlAddr=10.0.0.1\nCryptoType=crypto/munge\nFastSchedule=1\nCacheGroups=0\nMemLimitEnforce=no\nSchedulerPort=7321
SchedulerRootFilter=1\nJobCredentialPrivateKey=/etc/key\nCheckpointType=checkpoint/none\nAccountingStorageLoc=x\nSallocDefaultCommand="srun --pty bash"
"""


def test_keys_that_slurm_had_once_are_taken_with_one_line_each() -> None:
    conf = parse(OLD + "NodeName=a\nPartitionName=p Nodes=ALL\n")
    told = [line for line in conf.warnings if "obsolete" in line]
    assert len(told) == 10 and all("Ignoring obsolete " in line for line in told)
    assert any("FastSchedule=1" in line and "config_overrides" in line for line in told)


@pytest.mark.parametrize(("keys", "partition", "told"), [
    ("SelectTypeParameters=CR_Core_Memory", "", True), ("SelectTypeParameters=CR_Core", "", False), ("", "", True),
    ("SelectTypeParameters=CR_Core_Memory\nDefMemPerCPU=100", "", False), ("SelectTypeParameters=CR_CPU_Memory\nDefMemPerNode=100", "", False),
    ("SelectTypeParameters=CR_Memory", "DefMemPerCPU=100", False)])
def test_memory_that_is_counted_without_a_default_is_warned_of(keys: str, partition: str, told: bool) -> None:
    warnings = traps(conf_of(f"{keys}\nNodeName=a CPUs=4 RealMemory=8000", f"PartitionName=p Nodes=ALL {partition}\n"))
    assert any(line.endswith("so that each node runs one job at a time; write DefMemPerCPU=2000") for line in warnings) == told


def test_a_node_is_reached_by_its_host_name_unless_it_has_an_address() -> None:
    found = node("NodeName=a NodeHostname=b")
    assert (found.addr, found.hostname, found.port) == ("b", "b", 6818)


def test_ranges_of_different_lengths_are_refused() -> None:
    assert "NodeAddr=b[1-3] names 3, but NodeName=a[1-2] names 2" in refused("NodeName=a[1-2] NodeAddr=b[1-3]")[0]


@pytest.mark.parametrize(("keys", "expected"), [
    ("", (1, 1, 1, 1)),
    ("CPUs=16", (16, 1, 1, 16)),
    ("Sockets=2 CoresPerSocket=8 ThreadsPerCore=2", (2, 8, 2, 32)),
    ("CPUs=16 Sockets=2 CoresPerSocket=8 ThreadsPerCore=2", (2, 8, 2, 16)),
    ("CPUs=32 CoresPerSocket=8 ThreadsPerCore=2", (2, 8, 2, 32)),
    ("Boards=2 SocketsPerBoard=2 CoresPerSocket=4", (4, 4, 1, 16)),
    ("Boards=2 Sockets=2 CoresPerSocket=4", (4, 4, 1, 16)),
])
def test_what_is_missing_of_the_topology_follows_from_the_rest(keys: str, expected: tuple[int, int, int, int]) -> None:
    found = node(f"NodeName=a {keys}")
    assert (found.sockets, found.cores_per_socket, found.threads_per_core, found.cpus) == expected


def test_cpus_that_match_no_topology_are_reset_with_slurms_sentence() -> None:
    conf = conf_of("NodeName=a CPUs=10 Sockets=2 CoresPerSocket=8")
    assert conf.nodes[0].cpus == 16
    sentence = "match no Sockets, Sockets*CoresPerSocket or Sockets*CoresPerSocket*ThreadsPerCore. Resetting CPUs to 16."
    assert conf.warnings == [f"slurm.conf:3: NodeNames=a CPUs=10 {sentence}"]


def test_a_node_described_twice_is_refused() -> None:
    assert refused("NodeName=a[1-3]\nNodeName=a2")[:1] == ["slurm.conf:4: Duplicate NodeName a2"]


def test_a_node_cannot_be_named_all() -> None:
    assert "cannot be named ALL" in refused("NodeName=ALL")[0]


def test_gres_of_a_kind_that_is_not_announced_is_refused() -> None:
    assert refused("NodeName=a Gres=tape:2")[0::2] == ["slurm.conf:3: Gres=tape:2: tape is not in GresTypes", "  write GresTypes=gpu,tape"]


def test_more_gpus_than_a_node_can_hold_are_refused() -> None:
    assert refused("NodeName=a Gres=gpu:4G")[0] == "slurm.conf:3: Gres=gpu:4G: a node holds at most 1024 GPUs"


def test_down_nodes_carry_their_state_and_reason() -> None:
    nodes = conf_of('NodeName=a[1-3]\nDownNodes=a[2-3] State=DRAIN Reason="bad dimm"').nodes
    assert [(n.state, n.reason) for n in nodes] == [("UNKNOWN", ""), ("DRAIN", "bad dimm"), ("DRAIN", "bad dimm")]


def test_down_nodes_must_exist() -> None:
    assert refused("NodeName=a1\nDownNodes=a2")[0] == "slurm.conf:4: Invalid node names in DownNodes: a2"


def test_node_sets_gather_by_feature_and_by_name_in_node_order() -> None:
    conf = conf_of("NodeName=a[1-2] Features=big\nNodeName=b[1-2]\nNodeSet=s Feature=big Nodes=b2", "PartitionName=p Nodes=s\nPartitionName=q Nodes=b1,s")
    assert [p.nodes for p in conf.partitions] == [["a1", "a2", "b2"], ["a1", "a2", "b1", "b2"]]


def test_a_partition_may_be_empty_and_all_means_every_node() -> None:
    conf = conf_of("NodeName=a[1-2]", "PartitionName=e Nodes= State=DOWN\nPartitionName=p Nodes=ALL")
    assert [(p.name, p.nodes, p.state, p.nodes_text) for p in conf.partitions] == [("e", [], "DOWN", ""), ("p", ["a1", "a2"], "UP", "ALL")]


def test_a_partition_of_unknown_nodes_is_refused_with_the_nearest_name() -> None:
    assert refused("NodeName=cn[01-03]", "PartitionName=p Nodes=cn04") == [
        "slurm.conf:4: Invalid node names in partition p: cn04", "    PartitionName=p Nodes=cn04", "  did you mean cn01?"]


def test_the_later_of_two_default_partitions_wins_with_a_warning() -> None:
    conf = conf_of("NodeName=a", "PartitionName=p Nodes=a Default=YES\nPartitionName=q Nodes=a Default=YES")
    assert [(p.name, p.default) for p in conf.partitions] == [("p", False), ("q", True)]
    assert conf.warnings == ["slurm.conf:5: changing default partition from p to q"]


def test_a_partition_described_twice_is_refused() -> None:
    assert refused("NodeName=a", "PartitionName=p Nodes=a\nPartitionName=p Nodes=a")[0] == "slurm.conf:5: Duplicate PartitionName p"


def test_a_partition_has_slurms_defaults() -> None:
    found = conf_of("NodeName=a").partitions[0]
    assert (found.max_time, found.default_time, found.max_nodes, found.min_nodes, found.priority_tier, found.oversubscribe) == (-1, None, -1, 0, 1, "NO")
    assert (found.def_mem_per_cpu, found.over_time_limit, found.allow_groups, found.disable_root_jobs) == (None, None, "ALL", False)


def test_a_partition_reads_its_limits_in_our_units() -> None:
    found = conf_of("NodeName=a", "DisableRootJobs=YES\nPartitionName=DEFAULT MaxTime=1-0 OverTimeLimit=2 DefMemPerCPU=1G\n"
                    "PartitionName=p Nodes=a DefaultTime=30 MaxNodes=4 OverSubscribe=force:4 AllowGroups=x,y").partitions[0]
    assert (found.max_time, found.default_time, found.over_time_limit, found.def_mem_per_cpu) == (86400, 1800, 120, 1024)
    assert (found.max_nodes, found.oversubscribe, found.allow_groups, found.disable_root_jobs) == (4, "FORCE:4", "x,y", True)


def test_a_state_that_changes_nothing_is_warned_of() -> None:
    warnings = conf_of("NodeName=a CPUs=1 State=EXTERNAL", "PartitionName=p Nodes=ALL\n").warnings
    assert any("State=EXTERNAL is not carried out yet" in line for line in warnings)


@pytest.mark.parametrize("written", ["CPUs=65537", "Sockets=1000 CoresPerSocket=1000 ThreadsPerCore=2", "Boards=99999999999"])
def test_a_node_of_more_cpus_than_a_set_of_them_holds_is_refused(written: str) -> None:
    said = " ".join(refused(f"NodeName=big {written}"))
    assert "NodeName=big has" in said and "a node has at most 65536" in said
    assert node("NodeName=big CPUs=65536").cpus == 65536


def test_what_a_node_sets_aside_for_the_system_is_read() -> None:
    found = conf_of("NodeName=n[1-2] CPUs=8 RealMemory=4000 CoreSpecCount=2 MemSpecLimit=500\nNodeName=n3 CPUs=8 CpuSpecList=0-1,5").nodes
    assert [(n.core_spec, n.cpu_spec, n.mem_spec) for n in found] == [(2, [], 500), (2, [], 500), (0, [0, 1, 5], 0)]


@pytest.mark.parametrize(("keys", "words"), [
    ("CoreSpecCount=1 CpuSpecList=0", "write one of both"), ("CoreSpecCount=4", "leaves no core for jobs"), ("CpuSpecList=0-3", "are not some of the node's CPUs"),
    ("CpuSpecList=7", "it has the CPUs 0-3"), ("CpuSpecList=x", "valid: core numbers"), ("MemSpecLimit=1000", "leaves no memory for jobs"),
])
def test_a_node_that_leaves_nothing_to_jobs_is_refused(keys: str, words: str) -> None:
    assert any(words in line for line in refused(f"NodeName=n1 CPUs=4 RealMemory=1000 {keys}"))


def test_defaults_for_gpus_stand_alone_or_in_job_defaults_for_the_cluster_and_a_partition() -> None:
    conf = conf_of("NodeName=n1\nDefCpuPerGPU=3\nJobDefaults=DefMemPerGPU=2G",
                   "PartitionName=p Nodes=ALL DefMemPerGPU=900\nPartitionName=q Nodes=ALL JobDefaults=DefCpuPerGPU=2 DefMemPerGPU=800 SelectTypeParameters=cr_socket\n")
    assert conf.job_defaults == "DefCpuPerGPU=3,DefMemPerGPU=2048"
    assert [(p.job_defaults, p.select_type) for p in conf.partitions] == [("DefMemPerGPU=900", ""), ("DefCpuPerGPU=2,DefMemPerGPU=800", "CR_SOCKET")]
    assert "JobDefaults=DefCpuPerGPU=often is no value for JobDefaults" in refused("NodeName=n1\nJobDefaults=DefCpuPerGPU=often")[0]
