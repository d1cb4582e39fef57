"""`slurm cert`: certificates instead of the key, their revocation, and another key without a stop."""

import json
import os
from pathlib import Path

import pytest

from slurm.commands.slurm import main
from slurm.model.errors import NotPermitted
from slurm.net.certificates import files_of, load
from slurm.net.tls import Trust
from tests.unit.net.test_tls import met

CONF = "ClusterName=lab\nSlurmctldHost=head\nAuthType=auth/slurm\nSlurmUser={user}\nNodeName=nd[1-3] CPUs=1\nPartitionName=p Nodes=ALL\n"


class Site:
    """A controller's folder with its key, and a node's that has a certificate."""

    def __init__(self, root: Path) -> None:
        self.head, self.node = root / "head", root / "node"
        self.head.mkdir()
        (self.head / "slurm.conf").write_text(CONF.format(user=os.getuid()))
        self.key = self.head / "slurm.key"
        self.key.write_bytes(os.urandom(64))
        self.key.chmod(0o600)

    def cert(self, *words: str) -> int:
        return main(["cert", *words])

    def controller(self) -> Trust:
        return Trust(load(files_of(str(self.key), "slurmctld", {}), "lab", "slurmctld", "head", {os.getuid()}))

    def nd1(self) -> Trust:
        return Trust(load(files_of(str(self.node / "slurm.key"), "slurmd", {}, "nd1"), "lab", "slurmd", "nd1", {os.getuid()}))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    found = Site(tmp_path)
    monkeypatch.setenv("SLURM_CONF", str(found.head / "slurm.conf"))
    monkeypatch.chdir(tmp_path)
    return found


def test_a_node_is_given_a_certificate_and_not_the_key(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.cert("make", "slurmd", "nd1", "-o", str(site.node)) == 0
    out = capsys.readouterr().out
    assert "slurmd nd1 and no more" in out
    assert sorted(os.listdir(site.node)) == ["ca_cert.pem", "slurmd_cert.pem", "slurmd_cert_key.pem"]
    assert (site.node / "slurmd_cert_key.pem").stat().st_mode & 0o777 == 0o600
    server, _ = met(site.controller(), site.nd1())
    assert server.party is not None and str(server.party) == "slurmd nd1"
    assert site.cert("show", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["serial"], each["revoked"]) for each in shown["certificates"]] == [("nd1", server.party.serial, False)]


def test_a_node_that_is_not_configured_gets_none(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.cert("make", "slurmd", "nd9") == 1
    assert "did you mean nd" in capsys.readouterr().err
    assert site.cert("make", "slurmx", "nd1") == 2


@pytest.mark.parametrize("how", ["name", "serial", "file"])
def test_a_revoked_certificate_is_refused(site: Site, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    site.cert("make", "slurmd", "nd1", "-o", str(site.node))
    serial = capsys.readouterr().out.split()[1]
    words = {"name": ("slurmd", "nd1"), "serial": (serial.upper(),), "file": (str(site.node / "slurmd_cert.pem"),)}[how]
    assert site.cert("revoke", *words) == 0
    with pytest.raises(NotPermitted):
        met(site.controller(), site.nd1())
    site.cert("show")
    assert "revoked" in capsys.readouterr().out
    site.cert("make", "slurmd", "nd1", "-o", str(site.node))
    met(site.controller(), site.nd1())


def test_what_cannot_be_revoked_is_said(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.cert("revoke", "slurmd", "nd1") == 1
    assert "no certificate was made here for slurmd nd1" in capsys.readouterr().err
    assert site.cert("revoke", "what?") == 1
    assert "neither a serial number nor a file" in capsys.readouterr().err


def test_a_rotation_lets_old_and_new_speak_with_each_other_until_it_is_finished(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.cert("make", "slurmd", "nd1", "-o", str(site.node))
    before = site.nd1()
    assert site.cert("rotate", "switch") == 1
    assert site.cert("rotate", "begin") == 0
    assert site.cert("rotate", "begin") == 1
    met(site.controller(), before)
    capsys.readouterr()
    site.cert("show", "--authorities")
    (site.node / "ca_cert.pem").write_text(capsys.readouterr().out)
    between = site.nd1()
    assert site.cert("rotate", "switch") == 0
    met(site.controller(), between)  # the controller's certificate is new, the node's old
    site.cert("make", "slurmd", "nd1", "-o", str(site.node))
    after = site.nd1()
    met(site.controller(), after)
    assert site.cert("rotate", "finish") == 0
    met(site.controller(), after)
    with pytest.raises(NotPermitted):
        met(site.controller(), between)
    assert site.cert("rotate", "finish") == 1


def test_without_the_key_nothing_is_issued_and_the_reason_is_told(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.key.unlink()
    assert site.cert("make", "slurmd", "nd1") == 1
    assert "cannot read the key" in capsys.readouterr().err
