"""job_container.conf: which folders jobs have of their own on a node."""

from pathlib import Path

from slurm.config.config import load
from slurm.config.job_container import JobContainer


def conf_of(tmp_path: Path, text: str, node: str = "a1", kind: str = "NamespaceType=namespace/tmpfs") -> JobContainer:
    (tmp_path / "slurm.conf").write_text(f"SlurmctldHost=h\n{kind}\nNodeName=a[1-2]\nPartitionName=p Nodes=ALL\n")
    (tmp_path / "job_container.conf").write_text(text)
    config = load(str(tmp_path / "slurm.conf"))
    return config.job_container(config.nodes_by_name[node])


def test_tmp_and_shared_memory_are_a_jobs_own_where_nothing_else_is_said(tmp_path: Path) -> None:
    assert conf_of(tmp_path, "AutoBasePath=true\nBasePath=/var/nvme/%n\n") == JobContainer("/var/nvme/a1", True, ("/tmp", "/dev/shm"), False)


def test_a_line_for_a_node_counts_over_one_for_all(tmp_path: Path) -> None:
    text = "BasePath=/all Dirs=/tmp\nNodeName=a2 BasePath=none\nNodeName=a1 Shared=true Dirs=/tmp,/var/tmp\n"
    assert conf_of(tmp_path, text) == JobContainer("/all", False, ("/tmp", "/var/tmp"), True)
    assert not conf_of(tmp_path, text, "a2").base


def test_the_file_counts_only_where_slurm_conf_says_so_by_the_newer_or_the_older_key(tmp_path: Path) -> None:
    assert conf_of(tmp_path, "BasePath=/all", kind="JobContainerType=job_container/tmpfs").base == "/all"
    assert not conf_of(tmp_path, "BasePath=/all", kind="").base
