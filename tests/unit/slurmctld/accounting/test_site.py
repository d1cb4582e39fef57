"""Where slurmdbd is and what registers there follows from slurm.conf and the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.config.config import Config, load
from slurm.net.endpoint import tcp, unix
from slurm.slurmctld import setup
from slurm.slurmctld.accounting import site
from slurm.testing import builders as b


def conf(folder: Path, *lines: str) -> Config:
    """A configuration of one node with these lines."""
    path = folder / "slurm.conf"
    path.write_text("\n".join((
        "ClusterName=lab", "SlurmctldHost=head(10.0.0.1)", f"StateSaveLocation={folder}", "SlurmctldPidFile=/run/x/slurmctld.pid", "NodeName=cn01 CPUs=4",
        "PartitionName=debug Nodes=ALL", *lines)) + "\n")
    return load(str(path))


def test_the_socket_beside_slurmctlds_comes_first_and_between_machines_the_host_and_its_backup(tmp_path: Path) -> None:
    local = unix("/run/x/slurmdbd.sock")
    assert site.endpoints(conf(tmp_path, "AuthType=auth/local", "AccountingStorageHost=db1")) == (local,)
    found = site.endpoints(conf(
        tmp_path, "AuthType=auth/slurm", "AccountingStorageHost=db1", "AccountingStorageBackupHost=db2", "AccountingStoragePort=7000"))
    assert found == (local, tcp("db1", 7000), tcp("db2", 7000))


@pytest.mark.parametrize(("line", "leaves"), [
    ("", False), ("AccountingStorageType=accounting_storage/none", False), ("AccountingStorageType=accounting_storage/slurmdbd", True)])
def test_records_leave_only_where_there_is_a_slurmdbd(tmp_path: Path, line: str, leaves: bool) -> None:
    settings = setup.settings_of(conf(tmp_path, line, "AccountingStoreFlags=JOB_script,no_stdio", "AccountingStorageTRES=gres/gpu:a100"), [])
    assert settings.accounting is leaves
    assert (settings.accounting_store, settings.accounting_tres) == (["job_script", "no_stdio"], ["gres/gpu:a100"])


def test_max_dbd_msgs_follows_from_the_size_of_the_cluster_where_it_is_not_written(tmp_path: Path) -> None:
    assert site.most_waiting(conf(tmp_path, "MaxJobCount=20000")) == 40_004
    assert site.most_waiting(conf(tmp_path, "MaxDBDMsgs=15000")) == 15_000


def test_a_cluster_registers_with_its_address_its_resources_and_its_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    facts = site.facts(conf(tmp_path, "SlurmctldPort=7001"), b.cluster(2, cpus=8, memory=1000), "10.0.0.1")
    assert (facts.cluster, facts.control_host, facts.control_port, facts.time_zone) == ("lab", "10.0.0.1", 7001, "Europe/Berlin")
    assert (facts.tres["cpu"], facts.tres["node"], facts.nodes) == (16, 2, "cn[01-02]")
    monkeypatch.setenv("TZ", "nowhere/at_all")
    assert site.time_zone() != "nowhere/at_all"
