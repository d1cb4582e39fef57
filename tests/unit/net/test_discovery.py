"""Discovery: which cluster is meant, where its files lie, what to say when there is none."""

from pathlib import Path

import pytest

from slurm.model.errors import ConfigError, Unreachable
from slurm.net import discovery
from slurm.net.endpoint import tcp, unix

LAB = """\
# our cluster: SlurmctldHost=commented(10.9.9.9)
clustername = lab   # a comment
SlurmctldHost=head1(10.0.0.1)
SlurmctldHost=head2
SlurmctldPort=7817
StateSaveLocation=/var/spool/slurmctld
SlurmctldPidFile="/run/slurm/slurmctld.pid"
AuthType=auth/slurm
Include nodes.conf
SchedulerParameters=bf_window=10,\\
StateSaveLocation=/not/this
"""


def test_the_layout_of_an_embedded_cluster_is_stated_once(tmp_path: Path) -> None:
    found = discovery.instance({"XDG_STATE_HOME": "/s"})
    assert (found.name, found.root, found.conf) == ("default", "/s/slurm/default", "/s/slurm/default/slurm.conf")
    assert (found.socket, found.state, found.log) == (
        "/s/slurm/default/run/slurmctld.sock", "/s/slurm/default/state", "/s/slurm/default/log")
    assert found.spool("cn01") == "/s/slurm/default/spool/cn01"
    assert discovery.instance_dir({"HOME": "/home/a"}) == "/home/a/.local/state/slurm/default"
    assert discovery.instance_dir({"HOME": "/home/a", "XDG_STATE_HOME": "relative"}) == "/home/a/.local/state/slurm/default"
    assert discovery.instance_dir({"HOME": "/h", "SLURM_PY_INSTANCE": "two"}) == "/h/.local/state/slurm/two"
    assert discovery.instance_dir({"HOME": "/h", "SLURM_PY_INSTANCE": "two"}, "three") == "/h/.local/state/slurm/three"


@pytest.mark.parametrize("name", ["../etc", ".", "a/b"])
def test_a_cluster_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="Invalid cluster name"):
        discovery.instance({"HOME": "/h"}, name)


def test_a_sites_slurm_conf_says_where_its_controllers_are(tmp_path: Path) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(LAB)
    (tmp_path / "nodes.conf").write_text("NodeName=cn[1-9] CPUs=4\nSlurmdPidFile=/run/slurm/slurmd.pid\n")
    site = discovery.find_site({"SLURM_CONF": str(conf)})
    assert site.cluster == "lab"
    assert site.endpoints == (
        unix("/run/slurm/slurmctld.sock"), unix("/var/spool/slurmctld/slurmctld.sock"), tcp("10.0.0.1", 7817), tcp("head2", 7817))
    assert site.relays == ("/run/slurm/sackd.relay", "/run/slurm/slurmd.relay")
    assert [str(way) for way in site.ways[1:]] == [
        "unix:/var/spool/slurmctld/slurmctld.sock", "unix:/run/slurm/sackd.relay", "unix:/run/slurm/slurmd.relay"]
    assert site.authorities == str(tmp_path / "ca_cert.pem")
    with_token = discovery.find_site({"SLURM_CONF": str(conf), "SLURM_JWT": "a.b.c"})
    assert with_token.ways == (tcp("10.0.0.1", 7817), tcp("head2", 7817))
    assert (site.auth, site.key, site.embedded) == ("auth/slurm", str(tmp_path / "slurm.key"), False)
    assert discovery.find_site({"SLURM_CONF": str(conf), "SLURM_SACK_KEY": "/k"}).key == "/k"


def test_slurmdbd_is_asked_at_its_socket_and_with_munge_at_the_hosts_that_keep_accounting(tmp_path: Path) -> None:
    conf = tmp_path / "slurm.conf"
    own = unix("/var/run/slurmdbd.sock")
    for text, ways in (
            ("ClusterName=lab\n", ()),
            ("AccountingStorageType=accounting_storage/slurmdbd\nAuthType=auth/slurm\nAccountingStorageHost=db1\n", (own,)),
            ("AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=db1\nAccountingStorageBackupHost=db2\n"
             "AccountingStoragePort=7000\n", (own, tcp("db1", 7000), tcp("db2", 7000)))):
        conf.write_text(text)
        assert discovery.find_site({"SLURM_CONF": str(conf)}).database == ways


def test_old_names_of_the_controller_are_understood(tmp_path: Path) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text("ControlMachine=head\nControlAddr=10.0.0.1\nSlurmctldPort=6820-6830\n")
    assert discovery.read_site(str(conf), {}).endpoints[2:] == (tcp("10.0.0.1", 6820),)


def test_inside_a_job_the_slurmd_of_its_node_is_asked_before_others_on_the_machine(tmp_path: Path) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(f"SlurmctldHost=head\nAuthType=auth/slurm\nSlurmctldPidFile={tmp_path}/slurmctld.pid\nSlurmdPidFile={tmp_path}/slurmd-%n.pid\n")
    for name in ("cn01", "cn02", "cn03"):
        (tmp_path / f"slurmd-{name}.relay").touch()
    names = [Path(path).name for path in discovery.read_site(str(conf), {"SLURMD_NODENAME": "cn02"}).relays]
    assert names == ["sackd.relay", "slurmd-cn02.relay", "slurmd-cn01.relay", "slurmd-cn03.relay"]


def test_an_embedded_cluster_is_found_without_any_variable_and_opens_no_port(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path), "SLURM_PY_INSTANCE": "default"}
    embedded = discovery.instance(environ)
    Path(embedded.run).mkdir(parents=True)
    Path(embedded.conf).write_text(
        f"ClusterName=default\nSlurmctldHost=me(127.0.0.1)\nAuthType=auth/local\nStateSaveLocation={embedded.state}\n"
        f"SlurmctldPidFile={embedded.run}/slurmctld.pid\nSlurmdPidFile={embedded.run}/slurmd-%n.pid\n")
    (Path(embedded.run) / "slurmd-cn01.sack").touch()
    site = discovery.find_site(environ)
    assert site.embedded
    assert site.endpoints[0] == unix(embedded.socket)
    assert all(endpoint.is_unix for endpoint in site.endpoints)


def test_a_folder_a_node_is_found_as_a_file_a_node_is(tmp_path: Path) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(f"ClusterName=c\nAuthType=auth/slurm\nSlurmdPidFile={tmp_path}/run/%n/slurmd-%h.pid\n")
    for name in ("cn01", "cn02"):
        (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "run" / "cn02" / "slurmd-here.relay").touch()
    assert discovery.read_site(str(conf), {}).relays[1:] == (f"{tmp_path}/run/cn02/slurmd-here.relay",)


def test_inside_a_job_the_cluster_is_found_by_its_name_when_slurm_conf_was_taken_away(tmp_path: Path) -> None:
    found = discovery.instance({"XDG_STATE_HOME": str(tmp_path)}, "lab")
    Path(found.root).mkdir(parents=True)
    Path(found.conf).write_text("ClusterName=lab\nAuthType=auth/local\n")
    environ = {"XDG_STATE_HOME": str(tmp_path), "SLURM_JOB_ID": "7", "SLURM_CLUSTER_NAME": "lab"}
    assert discovery.find_site(environ).conf == found.conf
    for other in ({"SLURM_PY_INSTANCE": "default"}, {"SLURM_JOB_ID": ""}, {"SLURM_CLUSTER_NAME": "../lab"}):
        with pytest.raises(Unreachable):
            discovery.find_site({**environ, **other})


def test_without_any_cluster_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        discovery.find_site({"XDG_STATE_HOME": str(tmp_path), "SLURM_PY_INSTANCE": "default"})
    assert caught.value.lines() == ["no cluster here: start one with `slurm up`, or set SLURM_CONF"]


def test_a_slurm_conf_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read /nowhere/slurm\.conf: No such file or directory"):
        discovery.find_site({"SLURM_CONF": "/nowhere/slurm.conf"})
    (tmp_path / "slurm.conf").write_text("Include slurm.conf\n")
    with pytest.raises(ConfigError, match="Include nests without end"):
        discovery.find_site({"SLURM_CONF": str(tmp_path / "slurm.conf")})
