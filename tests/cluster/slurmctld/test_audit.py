"""The audit log: acts of administrators are in it with who, from where and how they ended; acts of users are not; it is bounded and private."""

import json
import stat
from pathlib import Path

import pytest

from slurm.commands.slurm import main
from slurm.core.events import Caller
from slurm.model.ids import Gid, Uid
from slurm.slurmctld import audit
from slurm.slurmctld.audit import Audit, files
from slurm.slurmctld.dispatch import HANDLERS
from slurm.wire import messages as m
from tests.cluster.slurmctld.conftest import ALICE, ROOT, Play, Stage

ADMIN = Caller(uid=Uid(0), gid=Gid(0), user="root", group="root", groups=("root",), host="login1")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_administrators_do_is_noted_with_its_result_and_what_users_do_is_not(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.ctl.audit = Audit(str(tmp_path / "audit.log"))
        assert (await s.client(ROOT).ask("UpdateNode", nodes="cn01", changes={"State": "DRAIN", "Reason": "new disk"}))["type"] == "Done"
        assert (await s.client(ROOT).ask("UpdateNode", nodes="nowhere", changes={"State": "DRAIN"}))["type"] == "Failure"
        assert (await s.client(ALICE).ask("UpdateNode", nodes="cn01", changes={"State": "RESUME"}))["type"] == "Failure"
        assert (await s.client(ALICE).ask("HoldJobs", ids=["1"]))["type"] == "Failure"
        assert (await s.client(ROOT).ask("Ping"))["type"] == "Pong"

    play(scene)
    drained, refused = lines(tmp_path / "audit.log")
    assert (drained["user"], drained["act"], drained["result"]) == ("root", "UpdateNode", "ok")
    assert drained["what"] == {"nodes": "cn01", "changes": {"State": "DRAIN", "Reason": "new disk"}}
    assert refused["result"] != "ok" and refused["what"] == {"nodes": "nowhere", "changes": {"State": "DRAIN"}}
    assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600


def test_the_log_is_bounded_and_the_oldest_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SIZE", 400)
    monkeypatch.setattr(audit, "FILES", 3)
    log = Audit(str(tmp_path / "audit.log"))
    for number in range(30):
        log.note(ADMIN, m.UpdateNode(nodes=f"cn{number}", changes={"Reason": "x" * 1000}))
    found = files(str(tmp_path))
    assert 1 <= len(found) <= 3
    kept = [entry["what"]["nodes"] for path in found for entry in lines(Path(path))]  # type: ignore[index]
    assert kept == [f"cn{number}" for number in range(30 - len(kept), 30)]
    assert all(len(str(entry["what"])) < 400 for path in found for entry in lines(Path(path)))


def test_every_request_is_an_act_that_is_noted_or_says_why_it_is_not() -> None:
    assert {m.SubmitJob, *HANDLERS} == audit.ACTS | audit.NO_ACTS.keys()
    assert not audit.ACTS & audit.NO_ACTS.keys()


def test_a_line_that_was_cut_off_costs_no_other_one_and_is_told(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut or on a full disk the next act stood on the same line, and `slurm audit` showed nothing any more."""
    conf, path = tmp_path / "slurm.conf", tmp_path / "audit.log"
    conf.write_text(f"ClusterName=lab\nSlurmctldHost=head\nStateSaveLocation={tmp_path}\nNodeName=n CPUs=1\nPartitionName=p Nodes=ALL\n")
    monkeypatch.setenv("SLURM_CONF", str(conf))
    log = Audit(str(path))
    log.note(ADMIN, m.UpdateNode(nodes="cn01", changes={"State": "DOWN"}))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40] + b"\xff")
    log.note(ADMIN, m.Reconfigure())
    path.write_bytes(path.read_bytes() + b"[1]\n{}\n" + whole[:20])
    assert main(["audit"]) == 0
    told = capsys.readouterr()
    assert [line.split()[3] for line in told.out.splitlines()] == ["ACT", "UpdateNode", "Reconfigure"]
    assert f"slurm: what stood there cannot be read any more: {path} line 2, {path} line 4, {path} line 5" in told.err


def test_a_disk_that_takes_nothing_holds_up_nothing_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Audit(str(tmp_path / "not-there" / "audit.log")).note(ADMIN, m.Reconfigure())
    assert "an act of root (Reconfigure) is not in it" in caplog.text


def test_the_command_shows_and_filters_them(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(f"ClusterName=lab\nSlurmctldHost=head\nStateSaveLocation={tmp_path}\nNodeName=n CPUs=1\nPartitionName=p Nodes=ALL\n")
    monkeypatch.setenv("SLURM_CONF", str(conf))
    assert main(["audit"]) == 0
    assert "Nothing of that kind was done" in capsys.readouterr().out
    log = Audit(str(tmp_path / "audit.log"), clock=lambda: 1_780_000_000.0)
    log.note(ADMIN, m.UpdateNode(nodes="cn01", changes={"State": "DOWN"}))
    log.note(ADMIN, m.Reconfigure(), "it is wrong")
    assert main(["audit", "--act", "updatenode"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["TIME", "USER", "FROM", "ACT", "RESULT", "WHAT"] and row.endswith("root  login1  UpdateNode  ok      nodes=cn01 State=DOWN")
    assert main(["audit", "--json", "-n", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["acts"][0]["result"] == "it is wrong"
    assert main(["audit", "--since", "2030", "--user", "root", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"acts": []}
