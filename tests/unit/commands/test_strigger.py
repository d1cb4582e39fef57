"""strigger: which trigger its options mean, what is shown, and what is refused."""

from __future__ import annotations

import msgspec
import pytest

from slurm.commands.strigger import main
from slurm.model.errors import NotFound
from slurm.wire import trigger_messages as t
from tests.unit.commands.world import Answer, Call, call

MADE: Answer = {"type": "TriggerMade", "id": 7}
ONE = {"id": 123, "uid": 1001, "gid": 1001, "user": "joe", "kind": "job", "what": "time", "job": 1235, "offset": -600, "program": "/home/joe/clean_up"}
OTHER = {"id": 9, "uid": 0, "gid": 0, "user": "root", "kind": "node", "what": "down", "nodes": "cn[01-02]", "permanent": True, "program": "/sbin/notify -x"}


def strigger(*argv: str, answers: list[Answer] | None = None) -> Call:
    return call(main, "strigger", argv, answers=[MADE] if answers is None else answers)


def asked(*argv: str) -> t.SetTrigger:
    done = strigger("--set", "--program=/bin/p", *argv)
    assert done.status == 0, done.stderr
    return msgspec.convert(done.sent[0], t.SetTrigger)


@pytest.mark.parametrize(("argv", "wanted"), [
    (("--jobid=12", "--fini"), ("job", "fini", 12, "*", 0, False)), (("-j", "12", "-t", "--offset=-600"), ("job", "time", 12, "*", -600, False)),
    (("--jobid=12", "--down"), ("job", "down", 12, "*", 0, False)), (("--node", "--down", "--flags=PERM"), ("node", "down", 0, "*", 0, True)),
    (("-ncn[01-02]", "-D"), ("node", "drained", 0, "cn[01-02]", 0, False)), (("--node=cn01", "--idle", "-o", "600"), ("node", "idle", 0, "cn01", 600, False)),
    (("--up",), ("node", "up", 0, "*", 0, False)), (("--draining",), ("node", "draining", 0, "*", 0, False)), (("-R",), ("node", "resume", 0, "*", 0, False)),
    (("--reconfig",), ("node", "reconfig", 0, "*", 0, False)), (("--primary_slurmdbd_failure",), ("slurmdbd", "primary_slurmdbd_failure", 0, "*", 0, False)),
    (("--primary_slurmdbd_resumed_operation",), ("slurmdbd", "primary_slurmdbd_resumed_operation", 0, "*", 0, False)),
    (("--primary_slurmctld_resumed_operation",), ("slurmctld", "primary_slurmctld_resumed_operation", 0, "*", 0, False)),
    (("--primary_slurmctld_resumed_control",), ("slurmctld", "primary_slurmctld_resumed_control", 0, "*", 0, False)),
    (("-a",), ("slurmctld", "primary_slurmctld_failure", 0, "*", 0, False)), (("-B",), ("slurmctld", "backup_slurmctld_failure", 0, "*", 0, False)),
    (("-C",), ("slurmctld", "backup_slurmctld_assumed_control", 0, "*", 0, False)),
    (("-c",), ("slurmctld", "backup_slurmctld_resumed_operation", 0, "*", 0, False)),
])
def test_options_mean_a_trigger(argv: tuple[str, ...], wanted: tuple[object, ...]) -> None:
    found = asked(*argv)
    assert (found.of, found.what, found.job, found.nodes, found.offset, found.permanent) == wanted


@pytest.mark.parametrize(("argv", "words"), [
    ((), "exactly one of the following options: --set, --get or --clear"), (("--set", "--get"), "You must use exactly one"),
    (("--flags=nosuch",), "Invalid flags nosuch"), (("--jobid=nosuch",), "Invalid jobid nosuch"),
    (("--set", "--down"), "--program must be specified"),
    (("--set", "--program=/p"), "You must specify an event"), (("--set", "--program=/p", "--fini"), "--fini option requires the --jobid option"),
    (("--set", "--program=/p", "--down", "--up"), "Only one event"), (("--set", "--program=/p", "-j1", "-n", "--down"), "can not both be given"),
    (("--set", "--program=/p", "-j1", "--idle"), "--idle is not about a job"), (("--set", "--program=/p", "--down", "--flags=x"), "Invalid flags x"),
    (("--set", "--program=/p", "--down", "-o", "x"), "Invalid offset x"), (("--clear",), "--id, --jobid, or --user"), (("--get", "word"), "Unrecognized"),
    (("--get", "--fail"), "no node gets the state FAIL"),
])
def test_what_makes_no_trigger_is_refused(argv: tuple[str, ...], words: str) -> None:
    done = strigger(*argv, answers=[])
    assert done.status == 1 and words in done.stderr


def test_triggers_are_shown_as_Slurm_shows_them() -> None:
    listed: Answer = {"type": "TriggersListed", "triggers": [OTHER, ONE]}
    assert strigger("--get", answers=[listed]).stdout.splitlines() == [
        "TRIG_ID RES_TYPE   RES_ID TYPE                                OFFSET USER     FLAGS PROGRAM",
        "      9 node      cn[01-02] down                                     0 root     PERM  /sbin/notify -x",
        "    123 job          1235 time                                  -600 joe            /home/joe/clean_up"]
    for argv, ids in ((("--jobid=1235",), ["123"]), (("--user=root",), ["9"]), (("-i9", "-v"), ["9"]), (("--node",), ["9"]), (("--time",), ["123"]), (("--up",), [])):
        assert [line.split()[0] for line in strigger("--get", "-N", *argv, answers=[listed]).stdout.splitlines()] == ids


def test_clearing_names_what_is_cleared() -> None:
    assert strigger("--clear", "--id=7", answers=[{"type": "Done"}]).sent == [{"type": "ClearTriggers", "id": 7}]
    assert strigger("--clear", "--user=joe", "-j4", answers=[{"type": "Done"}]).sent == [{"type": "ClearTriggers", "job": 4, "user": "joe"}]
    gone = strigger("--clear", "--id=7", answers=[NotFound("ESLURM_TRIGGER_MISSING")])
    assert (gone.status, gone.complaints) == (1, ("strigger: error: slurm_clear_trigger: Requested event trigger does not exist",))
    assert strigger("--clear", "--id=7", "-Q", answers=[NotFound("ESLURM_TRIGGER_MISSING")]).status == 0
