"""What slurmdbd answers: to controllers, to everybody, and to those who administrate it. The connection is a fake, the database a file."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from slurm.config.slurmdbd import parse_slurmdbd
from slurm.model.accounting import JobRecord, Outgoing, PayloadRecord
from slurm.model.errors import NotPermitted
from slurm.model.ids import Digest, Gid, JobId, Uid
from slurm.model.states import JobState
from slurm.net.peer import Peer
from slurm.net.tls import Party
from slurm.slurmdbd import questions
from slurm.slurmdbd.controllers import Controllers
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.dispatch import LONGEST, Dispatch
from slurm.slurmdbd.maintenance import Maintenance
from slurm.slurmdbd.work import Work
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from slurm.wire import frames
from slurm.wire.credentials import Identity
from slurm.wire.dbd_messages import AskFor, RegisterCluster, TakeRecords

ANNA, BERT, OTHER = 3_000_001, 3_000_002, 3_000_003
NOON = 1_700_000_000
DIGEST = Digest("a" * 64)
Message = dict[str, Any]


class Wire:
    """A connection that keeps what was sent on it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, frame: bytes) -> None:
        self.sent.append(frame[frames.HEADER_SIZE:])

    def hang_up(self) -> None:
        """Nobody is there."""

    async def drained(self) -> None:
        """Nothing waits."""

    def detach(self) -> tuple[socket.socket, bytes]:
        raise AssertionError("no test gives it away")


class Daemon:
    """slurmdbd without sockets: cluster "lab", anna's job 1 with a script in the account physics, bert's job 2 in chemistry."""

    def __init__(self, folder: Path, *lines: str, feed: bool = True) -> None:
        self.folder = folder
        text = "\n".join(("StorageType=accounting_storage/sqlite", f"StorageLoc={folder}/a.db", f"ArchiveDir={folder}", *lines))
        self.conf = parse_slurmdbd(text)
        self.database = Database(Storage(SQLITE, f"{folder}/a.db"))
        self.database.open()
        self.stopped = 0
        self.reread = 0
        if not feed:  # a database that is there already
            return
        self.say_as_controller(RegisterCluster(cluster="lab", journal="j"), TakeRecords(complete_until=NOON + 9e6, records=[
            Outgoing(1, PayloadRecord(digest=DIGEST, what="script", content=b"#!/bin/sh\n")), Outgoing(2, job(1, ANNA, "anna", "physics", script=DIGEST)),
            Outgoing(3, job(2, BERT, "bert", "chemistry"))]))

    def _run(self, use: Callable[[Dispatch, Maintenance], Any]) -> Any:
        async def inside() -> Any:
            work = Work()

            def stop() -> None:
                self.stopped += 1

            def reread() -> None:
                self.reread += 1

            state = DaemonState(self.conf, self.database, work, stop, reread)
            maintenance = Maintenance(state)
            try:
                return await use(Dispatch(state, Controllers(state), maintenance), maintenance)
            finally:
                await asyncio.sleep(0)
                await work.close(5.0)

        return asyncio.run(inside())

    def ask(self, uid: int, *messages: Message) -> list[Message]:
        """The answers to messages on one connection of this user."""
        async def use(dispatch: Dispatch, _: Maintenance) -> list[Message]:
            wire = Wire()
            peer = Peer(wire, Identity(uid=uid, gid=uid, host="h", issued=0.0), local=True)
            for message in messages:
                await dispatch.on_message(peer, frames.JSON, msgspec.json.encode(message))
            return [msgspec.json.decode(each) for each in wire.sent]

        found: list[Message] = self._run(use)
        return found

    def say_as_controller(self, *messages: Any, uid: int = 0, party: Party | None = None) -> list[Message]:
        """The answers to MessagePack messages on one connection of a slurmctld."""
        async def use(dispatch: Dispatch, _: Maintenance) -> list[Message]:
            wire = Wire()
            peer = Peer(wire, Identity(uid=uid, gid=0, host="h", issued=0.0), local=party is None, party=party)
            for message in messages:
                await dispatch.on_message(peer, frames.MSGPACK, msgspec.msgpack.encode(message))
            return [msgspec.msgpack.decode(each) for each in wire.sent]

        found: list[Message] = self._run(use)
        return found

    def jobs_of(self, uid: int, **wanted: object) -> list[int]:
        (answer,) = self.ask(uid, {"type": "FindJobs", "wanted": wanted})
        assert answer["type"] == "JobsFound", answer
        return [row["job"]["id"] for row in answer.get("jobs", [])]

    def make_admin(self, user: str, level: str) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(sa.insert(policy.users).values(name=user, admin_level=level))

    def make_coordinator(self, user: str, account: str) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(sa.insert(policy.coordinators).values(account=account, user_name=user))


def job(number: int, uid: int, user: str, account: str, **more: object) -> JobRecord:
    values: dict[str, Any] = {
        "id": JobId(number), "uid": Uid(uid), "gid": Gid(100), "user": user, "group": "users", "account": account, "state": JobState.COMPLETED,
        "submit_time": NOON, "eligible_time": NOON, "start_time": NOON, "end_time": NOON + 60, "allocated": {"cpu": 2}, **more}
    return JobRecord(**values)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    users = {ANNA: "anna", BERT: "bert", OTHER: "other", 0: "root"}
    monkeypatch.setattr("slurm.slurmdbd.rights.user_name", lambda uid: users.get(uid, str(uid)))


@pytest.fixture
def daemon(tmp_path: Path, names: None) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def private(tmp_path: Path, names: None) -> Iterator[Daemon]:
    made = Daemon(tmp_path, "PrivateData=jobs,usage")
    yield made
    made.database.close()


# Who may see which jobs: the user, what PrivateData=jobs lets through.
SEEN = [(0, [1, 2]), (os.geteuid(), [1, 2]), (ANNA, [1]), (BERT, [2]), (OTHER, [])]


@pytest.mark.parametrize(("uid", "expected"), SEEN)
def test_with_private_data_everybody_sees_his_own_jobs_and_operators_all(private: Daemon, uid: int, expected: list[int]) -> None:
    assert private.jobs_of(uid) == expected
    assert private.jobs_of(uid, users=["anna"]) == [1] * (1 in expected), "naming somebody opens nothing"
    assert private.jobs_of(uid, jobs=[[1, None, None], [2, None, None]]) == expected


def test_without_private_data_everybody_sees_all_jobs(daemon: Daemon) -> None:
    assert daemon.jobs_of(OTHER) == [1, 2]


def test_a_coordinator_sees_the_jobs_of_his_account_and_an_operator_all(private: Daemon) -> None:
    private.make_coordinator("other", "physics")
    assert private.jobs_of(OTHER) == [1]
    private.make_admin("bert", "Operator")
    assert private.jobs_of(BERT) == [1, 2]


@pytest.mark.parametrize(("uid", "readable"), [(0, True), (ANNA, True), (BERT, False), (OTHER, False)])
def test_a_script_is_for_its_user_and_for_operators_also_without_private_data(daemon: Daemon, uid: int, readable: bool) -> None:
    (answer,) = daemon.ask(uid, {"type": "FetchPayload", "digest": DIGEST})
    if readable:
        assert answer["content"] == "#!/bin/sh\n"
    else:
        assert answer["type"] == "Failure" and answer["kind"] == "NotPermitted" and "content" not in answer


def test_a_script_that_is_not_kept_is_told_to_operators_as_nothing(daemon: Daemon) -> None:
    assert daemon.ask(0, {"type": "FetchPayload", "digest": "b" * 64}) == [{"type": "PayloadFetched"}]


def test_usage_is_rolled_up_and_private_where_that_is_wanted(private: Daemon) -> None:
    async def roll(_: Dispatch, maintenance: Maintenance) -> None:
        await maintenance.roll_up()

    private._run(roll)
    question = {"type": "SumUsage", "kind": "association", "wanted": {"since": NOON - 86_400.0, "until": NOON + 86_400.0}}
    for uid, expected in ((0, [("anna", 120), ("bert", 120)]), (ANNA, [("anna", 120)]), (OTHER, [])):
        (answer,) = private.ask(uid, question)
        assert sorted((row["user"], row["seconds"]) for row in answer.get("associations", [])) == expected
    (refused,) = private.ask(0, {**question, "kind": "nonsense"})
    assert refused["type"] == "Failure"


def test_a_query_over_a_longer_time_than_allowed_is_refused_but_not_operators(tmp_path: Path, names: None) -> None:
    daemon = Daemon(tmp_path, "MaxQueryTimeRange=1-00:00:00")
    (answer,) = daemon.ask(ANNA, {"type": "FindJobs", "wanted": {"since": NOON - 200_000.0, "until": NOON + 200_000.0}})
    assert (answer["name"], answer["message"]) == ("ESLURM_DB_QUERY_TOO_WIDE", "Too wide of a date range in query")
    assert daemon.jobs_of(ANNA, since=NOON - 100.0, until=NOON + 100.0) == [1, 2]
    assert daemon.jobs_of(0, since=NOON - 200_000.0, until=NOON + 200_000.0) == [1, 2]
    daemon.database.close()


def test_a_large_answer_comes_in_parts_and_goes_on_after_its_daemon_restarted(daemon: Daemon) -> None:
    daemon.say_as_controller(RegisterCluster(cluster="lab", journal="j"), *(
        TakeRecords(records=[Outgoing(3 + number, job(2 + number, ANNA, "anna", "physics")) for number in range(begin, begin + 600)])
        for begin in range(1, 2401, 600)))
    question: Message = {"type": "FindJobs", "wanted": {"accounts": ["physics"]}}
    (first,) = daemon.ask(ANNA, question)
    assert len(first["jobs"]) == 1000 and first["next"]
    got = [row["job"]["id"] for row in first["jobs"]]
    after = first["next"]
    while after:  # every `ask` is a daemon of its own, which knows nothing of the answer so far
        (part,) = daemon.ask(ANNA, {**question, "after": after})
        got += [row["job"]["id"] for row in part["jobs"]]
        after = part.get("next", "")
    assert got == [1, *range(3, 2403)]


def test_parts_on_one_connection_go_on_where_they_were(daemon: Daemon) -> None:
    daemon.say_as_controller(RegisterCluster(cluster="lab", journal="j"), TakeRecords(
        records=[Outgoing(3 + number, job(2 + number, ANNA, "anna", "physics")) for number in range(1, 1501)]))

    async def use(dispatch: Dispatch, _: Maintenance) -> list[int]:
        wire = Wire()
        peer = Peer(wire, Identity(uid=ANNA, gid=1, host="h", issued=0.0), local=True)
        found: list[int] = []
        after = ""
        while True:
            await dispatch.on_message(peer, frames.JSON, msgspec.json.encode({"type": "FindJobs", "wanted": {}, "after": after}))
            part = msgspec.json.decode(wire.sent[-1])
            found += [row["job"]["id"] for row in part["jobs"]]
            after = part.get("next", "")
            if not after:
                return found

    assert daemon._run(use) == list(range(1, 1503))


def test_somebody_elses_word_for_the_next_part_shows_only_what_one_may_see(private: Daemon) -> None:
    answers = questions.Answers()
    answer = questions._Open(iter(()), ANNA)
    answer.place = ("lab", 1, 1)
    word = answers.keep(answer)
    assert answers.resume(word, BERT) is None and answers.resume(word, ANNA) is answer
    (part,) = private.ask(BERT, {"type": "FindJobs", "wanted": {}, "after": f"{'0' * 16} 0 0 lab"})
    assert [row["job"]["id"] for row in part["jobs"]] == [2]


BAD: list[tuple[Message, str]] = [
    ({"type": "FindJobs", "wanted": {"jobs": [[2**70, None, None]]}}, ""), ({"type": "FindJobs", "wanted": {"users": ["a\0b"]}}, "no control characters"),
    ({"type": "FindJobs", "wanted": {"since": 1e300}}, "since: a number from 0 to"), ({"type": "FindJobs", "wanted": {"cpus": [0, 2**63]}}, "cpus: a whole number from 0"),
    ({"type": "FindJobs", "wanted": {}, "after": "x"}, "no word that an answer gave"), ({"type": "FindJobs", "wanted": {"users": 5}}, ""),
    ({"type": "SubmitJob"}, ""), ({"type": "FindJobs", "wanted": {"users": ["x" * LONGEST]}}, "is longer than"), ({"type": "EndRunaways", "cluster": "lab"}, "")]


@pytest.mark.parametrize(("message", "sentence"), BAD)
def test_what_is_no_question_is_refused_with_a_sentence_and_the_next_is_answered(daemon: Daemon, message: Message, sentence: str) -> None:
    refused, answered = daemon.ask(ANNA, message, {"type": "FindJobs", "wanted": {}})
    assert refused["type"] == "Failure" and sentence in " ".join([refused["message"], *refused.get("hints", [])])
    assert refused["message"] != "slurmdbd failed on this request"
    assert len(answered["jobs"]) == 2


ADMINISTRATION: list[tuple[Message, str]] = [
    ({"type": "ShowDatabaseStats"}, "Operator"), ({"type": "ShowDatabaseConfig"}, "Operator"), ({"type": "EndRunaways", "cluster": "lab", "jobs": []}, "Operator"),
    ({"type": "ArchiveDump"}, "Administrator"), ({"type": "ArchiveLoad", "path": "/none"}, "Administrator"), ({"type": "StopDatabaseDaemon"}, "Administrator"),
    ({"type": "ReconfigureDatabaseDaemon"}, "Administrator")]


@pytest.mark.parametrize(("message", "level"), ADMINISTRATION)
def test_administration_is_for_those_of_the_level_and_above(daemon: Daemon, message: Message, level: str) -> None:
    daemon.make_admin("bert", "Operator")
    daemon.make_admin("anna", "Administrator")
    allowed = {uid: daemon.ask(uid, message)[0].get("kind") != "NotPermitted" for uid in (0, ANNA, BERT, OTHER)}
    assert allowed == {0: True, ANNA: True, BERT: level == "Operator", OTHER: False}
    assert daemon.stopped == 2 * (message["type"] == "StopDatabaseDaemon") and daemon.reread == 2 * (message["type"] == "ReconfigureDatabaseDaemon")


def test_passwords_are_not_shown(tmp_path: Path, names: None) -> None:
    daemon = Daemon(tmp_path, "StoragePass=secret", "StoragePassScript=/bin/secret")
    (answer,) = daemon.ask(0, {"type": "ShowDatabaseConfig"})
    shown = dict(answer["values"])
    assert shown["StoragePass"] == shown["StoragePassScript"] == "********" and "secret" not in str(answer) and shown["DbdPort"] == "6819"
    daemon.database.close()


def test_anybody_may_ask_whether_it_is_well(daemon: Daemon) -> None:
    (answer,) = daemon.ask(OTHER, {"type": "PingDatabase"})
    assert answer["type"] == "DatabasePinged" and not answer.get("problem")


# --- controllers ------------------------------------------------------------------------------------------------------


def refused_as_controller(daemon: Daemon, *messages: Any, **who: Any) -> str:
    with pytest.raises(NotPermitted) as caught:
        daemon.say_as_controller(*messages, **who)
    return " ".join(caught.value.lines())


def test_records_are_taken_from_controllers_only(daemon: Daemon) -> None:
    register = RegisterCluster(cluster="lab", journal="x")
    refused_as_controller(daemon, register, uid=ANNA)
    for role in ("slurmd", "sackd", "user", "slurmdbd"):
        refused_as_controller(daemon, register, uid=-1, party=Party("lab", role, "n"))
    assert "of cluster other" in refused_as_controller(daemon, register, uid=-1, party=Party("other", "slurmctld", "n"))
    assert "registers before" in refused_as_controller(daemon, TakeRecords(records=[]))
    (answer,) = daemon.say_as_controller(register, uid=-1, party=Party("lab", "slurmctld", "n"))
    assert answer["type"] == "ClusterRegistered" and answer["highest_job"] == 2


def test_a_controller_passes_questions_on_with_who_asks_and_nobody_else_does(private: Daemon) -> None:
    ask = AskFor(number=7, uid=BERT, cluster="lab", request=b'{"type": "FindJobs", "wanted": {}}')
    (told,) = private.say_as_controller(ask)
    assert told["number"] == 7 and [row["job"]["id"] for row in msgspec.json.decode(told["reply"])["jobs"]] == [2]
    refused_as_controller(private, ask, uid=BERT)
    refused_as_controller(private, ask, uid=-1, party=Party("lab", "slurmd", "n"))
    refused_as_controller(private, ask, uid=-1, party=Party("other", "slurmctld", "n"))


def test_where_there_are_several_clusters_one_must_be_named(daemon: Daemon) -> None:
    daemon.say_as_controller(RegisterCluster(cluster="other", journal="j"))
    (refused,) = daemon.ask(ANNA, {"type": "FindJobs", "wanted": {}})
    assert refused["hints"] == ["name some with --clusters: lab, other"]
    assert daemon.jobs_of(ANNA, clusters=["lab"]) == daemon.jobs_of(ANNA, all_clusters=True) == [1, 2]


def test_old_records_are_purged_and_archived_as_the_configuration_says(tmp_path: Path, names: None) -> None:
    daemon = Daemon(tmp_path, "PurgeJobAfter=1months", "ArchiveJobs=yes")

    async def roll(_: Dispatch, maintenance: Maintenance) -> None:
        await maintenance.roll_up()

    daemon._run(roll)
    (answer,) = daemon.ask(0, {"type": "ArchiveDump"})
    assert answer["rows"] == 2 and daemon.jobs_of(0) == []
    (archive,) = tmp_path.glob("lab_job_archive_*.jsonl")
    (loaded,) = daemon.ask(0, {"type": "ArchiveLoad", "path": str(archive)})
    assert loaded["rows"] == 2 and daemon.jobs_of(0) == [1, 2]
    daemon.database.close()


def test_a_clock_that_runs_years_ahead_of_every_controller_purges_nothing(tmp_path: Path, names: None) -> None:
    daemon = Daemon(tmp_path, "PurgeJobAfter=12months")  # its one controller has told of the first 104 days; this machine's clock is years ahead

    async def roll(_: Dispatch, maintenance: Maintenance) -> None:
        await maintenance.roll_up()

    daemon._run(roll)
    (answer,) = daemon.ask(0, {"type": "ArchiveDump"})
    assert answer["rows"] == 0 and daemon.jobs_of(0) == [1, 2]
    daemon.database.close()


def test_nothing_is_purged_when_the_archive_script_fails(tmp_path: Path, names: None) -> None:
    script = tmp_path / "archive"
    script.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\nexit 3\n")
    script.chmod(0o755)
    daemon = Daemon(tmp_path, "PurgeJobAfter=1months", "ArchiveJobs=yes", f"ArchiveScript={script}")

    async def roll(_: Dispatch, maintenance: Maintenance) -> None:
        await maintenance.roll_up()

    daemon._run(roll)
    (refused,) = daemon.ask(0, {"type": "ArchiveDump"})
    assert "ended with exit status 3" in refused["message"] and daemon.jobs_of(0) == [1, 2]
    seen = (tmp_path / "seen").read_text()
    assert "SLURM_ARCHIVE_JOBS=1" in seen and "SLURM_ARCHIVE_LAST_JOB=" in seen and "SLURM_ARCHIVE_STEPS=0" in seen
    script.write_text("#!/bin/sh\nexit 0\n")
    (done,) = daemon.ask(0, {"type": "ArchiveDump"})
    assert done["rows"] == 2 and not list(tmp_path.glob("*.jsonl"))
    daemon.database.close()


def test_the_loop_is_not_blocked_while_the_database_works(daemon: Daemon) -> None:
    async def use(dispatch: Dispatch, _: Maintenance) -> float:
        wire = Wire()
        peer = Peer(wire, Identity(uid=0, gid=0, host="h", issued=0.0), local=True)
        slow = asyncio.ensure_future(dispatch.on_message(peer, frames.MSGPACK, msgspec.msgpack.encode(RegisterCluster(cluster="lab", journal="z"))))
        began = time.monotonic()
        while not slow.done():
            await asyncio.sleep(0)
            if time.monotonic() - began > 0.2:
                connection.rollback()
        await slow
        return time.monotonic() - began

    with daemon.database.engine.connect().execution_options(writing=True) as connection:
        connection.execute(sa.text("SELECT 1"))  # whoever writes waits for this transaction
        assert daemon._run(use) > 0.2, "the loop went on while the registration waited"
