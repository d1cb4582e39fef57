"""What `slurmctld -t` prints."""

from pathlib import Path

from slurm.config.check import check

HERE = Path(__file__).parent


def test_a_usable_configuration_is_summed_up_after_its_warnings() -> None:
    path = HERE / "seed001" / "slurm.conf"
    status, lines = check(str(path))
    assert status == 0
    assert lines[-1] == (f"{path}: ok: cluster lambda-cluster, 32 nodes, 2048 CPUs, 3 partitions (default: gpu), 1 warning")
    assert len(lines) == 2


def test_all_errors_are_printed_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "slurm.conf"
    path.write_text("SlurmctldHost=h\nKilWait=5\nNodeName=node1\nPartitionName=p Nodes=node2\n")
    assert check(str(path)) == (1, [
        f"{path}:2: Parsing error at unrecognized key: KilWait", "    KilWait=5", "  did you mean KillWait?",
        f"{path}:4: Invalid node names in partition p: node2", "    PartitionName=p Nodes=node2", "  did you mean node1?",
        f"{path}: cannot be used"])


def test_a_missing_file_is_an_error() -> None:
    status, lines = check("/no/such/slurm.conf")
    assert status == 1
    assert lines[0] == "/no/such/slurm.conf: No such file or directory"
