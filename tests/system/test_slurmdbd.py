"""slurmdbd as a process: starts and refuses to, takes records of several clusters, is killed at any moment, obeys signals."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from slurm.model.accounting import JobFilter, JobRecord, Outgoing
from slurm.model.errors import SlurmError, Unreachable
from slurm.model.ids import Gid, JobId, Uid
from slurm.model.states import JobState
from slurm.net.authority import Authority
from slurm.net.client import Connection, dial
from slurm.net.endpoint import tcp, unix
from slurm.net.link import SocketLink, Wanted
from slurm.net.tls import Trust
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from slurm.wire import frames
from slurm.wire.dbd_messages import ClusterRegistered, RecordsTaken, RegisterCluster, TakeRecords
from slurm.wire.messages import Failure, Message

SOURCE = str(Path(__file__).resolve().parents[2] / "src")
SECONDS = 60.0
NOON = 1_700_000_000


def until(true: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


class Daemon:
    """A slurmdbd below `folder`, with SQLite; `lines` are further ones of its slurmdbd.conf."""

    def __init__(self, folder: Path, *lines: str, auth: str = "auth/local") -> None:
        self.folder = folder
        self.conf = folder / "slurmdbd.conf"
        self.database = folder / "accounting.db"
        self.log = folder / "slurmdbd.log"
        self.port = _free_port()
        self.conf.write_text("\n".join((
            f"AuthType={auth}", f"PidFile={folder}/slurmdbd.pid", f"DbdPort={self.port}", f"SlurmUser={os.geteuid()}", f"LogFile={self.log}",
            "StorageType=accounting_storage/sqlite", f"StorageLoc={self.database}", *lines)) + "\n")
        self.conf.chmod(0o600)
        self.process: subprocess.Popen[str] | None = None

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Start it in the background, as systemd would not; what it said."""
        return subprocess.run([sys.executable, "-m", "slurm.slurmdbd", "-f", str(self.conf), *words], capture_output=True, text=True, check=False,
                              env={**os.environ, "PYTHONPATH": SOURCE}, timeout=SECONDS)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "slurm.slurmdbd", "-D", "-v", "-f", str(self.conf), "-L", str(self.log)], text=True, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": SOURCE})
        until(lambda: self.ping(), f"it does not answer: {self.said()}")

    def ping(self) -> bool:
        try:
            with self.dial() as connection:
                return not connection.call({"type": "PingDatabase"}).get("problem")
        except SlurmError:
            return False

    def dial(self) -> Connection:
        return dial(unix(f"{self.folder}/slurmdbd.sock"))

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    made.start()
    yield made
    assert made.stop() == 0, made.said()


def say(connection: Connection, message: Message) -> ClusterRegistered | RecordsTaken | Failure:
    connection.send_frame(frames.MSGPACK, msgspec.msgpack.encode(message))
    return msgspec.msgpack.decode(connection.receive_frame(SECONDS)[1], type=ClusterRegistered | RecordsTaken | Failure)


def job(number: int, user: str = "anna") -> JobRecord:
    return JobRecord(id=JobId(number), uid=Uid(os.geteuid()), gid=Gid(0), user=user, group="g", state=JobState.COMPLETED, submit_time=NOON,
                     eligible_time=NOON, start_time=NOON, end_time=NOON + 60, allocated={"cpu": 4})


def test_a_controller_that_sends_while_slurmdbd_is_killed_again_and_again_finds_each_record_once(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.start()
    sent, kills = 0, 0
    next_kill = 400
    connection: Connection | None = None
    waiting: list[Outgoing] = []
    while kills < 5:
        try:
            if connection is None:
                connection = daemon.dial()
                registered = say(connection, RegisterCluster(cluster="lab", journal="j"))
                assert isinstance(registered, ClusterRegistered)
                waiting = [each for each in waiting if each.sequence > registered.through]
            if not waiting:
                waiting = [Outgoing(number, job(number)) for number in range(sent + 1, sent + 101)]
                sent += 100
            connection.send_frame(frames.MSGPACK, msgspec.msgpack.encode(TakeRecords(records=waiting)))
            if sent >= next_kill:
                next_kill += 400
                time.sleep(0.002 * kills)  # at another moment of the transaction each time
                raise Unreachable()
            answer = msgspec.msgpack.decode(connection.receive_frame(SECONDS)[1], type=RecordsTaken)
            waiting = [each for each in waiting if each.sequence > answer.through]
        except Unreachable:
            if connection is not None:
                connection.close()
            connection = None
            daemon.kill()
            kills += 1
            daemon.start()
    with daemon.dial() as last:
        say(last, RegisterCluster(cluster="lab", journal="j"))
        assert isinstance(say(last, TakeRecords(records=waiting)), RecordsTaken)
    assert daemon.stop() == 0
    database = Database(Storage(SQLITE, str(daemon.database)))
    assert [row.job.id for row in database.jobs(JobFilter(), "lab")] == list(range(1, sent + 1))
    database.close()


def test_it_reports_when_it_is_ready_and_ends_in_order(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    done = daemon.run()
    assert (done.returncode, done.stderr) == (0, "")
    until(daemon.ping, daemon.said())
    pid = int((tmp_path / "slurmdbd.pid").read_text())
    again = daemon.run()
    assert again.returncode == 1 and f"slurmdbd is already running (pid {pid}" in again.stderr
    os.kill(pid, signal.SIGTERM)
    until(lambda: not psutil.pid_exists(pid), "it does not end")
    assert daemon.said().rstrip().endswith("stopped") and not (tmp_path / "slurmdbd.pid").exists() and not (tmp_path / "slurmdbd.sock").exists()


REFUSED: list[tuple[str, str]] = [
    ("StorageType=accounting_storage/oracle", "no value for StorageType"), ("Nonsense=1", "unrecognized key: Nonsense"),
    ("PurgeJobAfter=5weeks", "no value for PurgeJobAfter"), ("PrivateData=secrets", "PrivateData=secrets means nothing"),
    ("StorageLoc=relative.db", "must be the whole path"), ("SlurmUser=nobody-at-all", "there is no such user"),
    ("StorageLoc=/nowhere/at/all.db", "unable to open")]


@pytest.mark.parametrize(("line", "sentence"), REFUSED)
def test_a_configuration_that_cannot_be_is_refused_with_a_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "slurm.key").write_bytes(b"k" * 1024)
    (tmp_path / "slurm.key").chmod(0o600)
    done = Daemon(tmp_path, line, auth="auth/slurm").run("-D")
    assert done.returncode == 1 and re.search(f"slurmdbd: fatal: .*{sentence}", done.stderr + _log(tmp_path)), done.stderr


def _log(folder: Path) -> str:
    path = folder / "slurmdbd.log"
    return path.read_text() if path.exists() else ""


def test_a_file_with_a_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, "StoragePass=secret")
    daemon.conf.chmod(0o644)
    done = daemon.run("-D")
    assert done.returncode == 1 and "should be 600 is 644 accessible for group or others" in done.stderr and "secret" not in done.stderr


def test_a_database_of_a_newer_slurm_py_is_refused_at_the_start(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.start()
    daemon.stop()
    with sqlite3.connect(daemon.database) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    done = daemon.run("-D")
    assert done.returncode == 1 and "was written by a newer slurm-py" in done.stderr


def test_signals_read_the_configuration_and_open_the_log_again(daemon: Daemon) -> None:
    assert daemon.process is not None
    with daemon.dial() as connection:
        assert dict(connection.call({"type": "ShowDatabaseConfig"})["values"])["PrivateData"] == ""
        daemon.conf.write_text(daemon.conf.read_text() + "PrivateData=jobs\n")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: dict(connection.call({"type": "ShowDatabaseConfig"})["values"])["PrivateData"] == "jobs", daemon.said())
        daemon.conf.write_text(daemon.conf.read_text() + "PrivateData=nonsense\n")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "was not read again" in daemon.said(), "it says nothing of a file that is wrong")
        assert dict(connection.call({"type": "ShowDatabaseConfig"})["values"])["PrivateData"] == "jobs"
    daemon.log.rename(daemon.folder / "old.log")
    daemon.process.send_signal(signal.SIGUSR2)
    until(daemon.log.exists, "the log was not opened again")
    for harmless in (signal.SIGUSR1, signal.SIGQUIT, signal.SIGALRM, signal.SIGTSTP):
        daemon.process.send_signal(harmless)
    assert daemon.ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="other users are needed, whom only root can be")
def test_an_ordinary_user_of_this_machine_sees_his_jobs_and_may_do_nothing(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    daemon = Daemon(tmp_path, "PrivateData=jobs")
    daemon.start()
    with daemon.dial() as connection:
        say(connection, RegisterCluster(cluster="lab", journal="j"))
        say(connection, TakeRecords(records=[Outgoing(1, job(1))]))
    script = (
        "import os, sys, socket, json, struct\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "stream = socket.socket(socket.AF_UNIX); stream.connect(sys.argv[1])\n"
        "for message in json.loads(sys.argv[2]):\n"
        "    body = json.dumps(message).encode(); stream.sendall(struct.pack('!2sBBI', b'SP', 2, 74, len(body)) + body)\n"
        "    head = stream.recv(8, socket.MSG_WAITALL); print(stream.recv(struct.unpack('!2sBBI', head)[3], socket.MSG_WAITALL).decode())\n")
    folder = tmp_path
    while folder != Path("/tmp") and folder != Path("/"):  # for this test alone nobody may come through
        os.chmod(folder, os.stat(folder).st_mode | 0o011)
        folder = folder.parent
    import json
    done = subprocess.run([sys.executable, "-I", "-c", script, f"{tmp_path}/slurmdbd.sock", json.dumps([
        {"type": "FindJobs", "wanted": {}}, {"type": "StopDatabaseDaemon"}, {"type": "ShowDatabaseConfig"}])], capture_output=True, text=True, check=False)
    found, *refused = [json.loads(line) for line in done.stdout.splitlines()]
    assert found.get("jobs", []) == [] and [each["kind"] for each in refused] == ["NotPermitted"] * 2, done
    assert daemon.stop() == 0
    assert (tmp_path / "accounting.db").stat().st_mode & 0o077 == 0


def test_commands_ask_slurmdbd_itself_where_no_slurmctld_answers(daemon: Daemon, tmp_path: Path) -> None:
    """A killed slurmctld leaves its socket behind; another cluster has jobs of the same numbers in the same database."""
    (tmp_path / "slurm.conf").write_text("\n".join((
        "ClusterName=lab", "SlurmctldHost=localhost", "AuthType=auth/local", f"SlurmctldPidFile={tmp_path}/slurmctld.pid",
        f"StateSaveLocation={tmp_path}", "AccountingStorageType=accounting_storage/slurmdbd")) + "\n")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "slurmctld.sock"))
    with daemon.dial() as connection:
        for cluster, state in (("other", JobState.FAILED), ("lab", JobState.COMPLETED)):
            say(connection, RegisterCluster(cluster=cluster, journal=cluster))
            say(connection, TakeRecords(records=[Outgoing(1, msgspec.structs.replace(job(1), state=state))]))

    def command(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", f"import sys; from slurm.commands.{name} import main; sys.exit(main())", *words], text=True, check=False,
            capture_output=True, timeout=SECONDS, env={**os.environ, "PYTHONPATH": SOURCE, "SLURM_CONF": str(tmp_path / "slurm.conf")})

    assert command("sacct", "-X", "-n", "-P", "-o", "jobid,state", "-a", "-S", "2020-01-01").stdout == "1|COMPLETED\n"
    added = command("sacctmgr", "-i", "add", "account", "chem")
    assert (added.returncode, command("sacctmgr", "-n", "-P", "show", "assoc", "account=chem", "format=cluster,account").stdout) == (
        0, "lab|chem\nother|chem\n"), added
    assert command("sreport", "cluster", "utilization").returncode == 0
    assert daemon.stop() == 0
    refused = command("sacct")
    assert refused.returncode == 1 and f"tried slurmdbd at unix:{tmp_path}/slurmdbd.sock" in refused.stderr, refused
    daemon.start()


# --- between machines -------------------------------------------------------------------------------------------------


class Speaking:
    """A controller's link: registers as soon as it is connected, keeps what it is told."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.told: list[object] = []
        self.link: SocketLink | None = None
        self.downs: list[str] = []

    def on_up(self) -> None:
        assert self.link is not None
        self.link.send(frames.pack(frames.MSGPACK, msgspec.msgpack.encode(RegisterCluster(cluster=self.cluster, journal="j"))))

    def on_message(self, codec: int, payload: bytes) -> None:
        self.told.append(msgspec.msgpack.decode(payload, type=ClusterRegistered | RecordsTaken | Failure))

    def on_down(self, why: str) -> None:
        self.downs.append(why)


async def registered(port: int, cluster: str, trust: Trust, seconds: float = 15.0) -> object:
    """What slurmdbd says to a controller of this cluster with this trust; None when it does not come that far."""
    speaking = Speaking(cluster)
    speaking.link = SocketLink([tcp("127.0.0.1", port)], speaking, trust=trust, wanted=Wanted("slurmdbd"))
    speaking.link.start()
    try:
        async with asyncio.timeout(seconds):
            while not speaking.told:
                await asyncio.sleep(0.02)
    except TimeoutError:
        return None
    finally:
        await speaking.link.close()
    return speaking.told[0]


def test_controllers_of_several_clusters_prove_themselves_under_one_key_and_nobody_else_does(tmp_path: Path) -> None:
    key = secrets.token_bytes(1024)
    (tmp_path / "slurm.key").write_bytes(key)
    (tmp_path / "slurm.key").chmod(0o600)
    daemon = Daemon(tmp_path, auth="auth/slurm")
    daemon.start()

    def trust(cluster: str, role: str = "slurmctld", of: bytes = key) -> Trust:
        return Trust(Authority(of, cluster).credentials(role, "head"))

    async def all_of_them() -> list[object]:
        return [
            await registered(daemon.port, "north", trust("north")), await registered(daemon.port, "süd_2", trust("süd_2")),
            await registered(daemon.port, "north", trust("north")), await registered(daemon.port, "north", trust("south")),
            await registered(daemon.port, "north", trust("north", "slurmd")),
            await registered(daemon.port, "north", trust("north", of=b"another" * 100), 3.0)]

    north, south, again, false, node, stranger = asyncio.run(all_of_them())
    assert isinstance(north, ClusterRegistered) and isinstance(south, ClusterRegistered) and isinstance(again, ClusterRegistered)
    assert len({north.cluster_id, south.cluster_id}) == 2 and again.cluster_id == north.cluster_id
    assert isinstance(false, Failure) and "it says that it is of north" in " ".join(false.hints)
    assert isinstance(node, Failure) and node.kind == "NotPermitted"
    assert stranger is None
    with socket.create_connection(("127.0.0.1", daemon.port)) as plain:  # what is no TLS is told so, and nothing else
        plain.sendall(frames.pack(frames.JSON, b'{"type": "FindJobs", "wanted": {}}'))
        assert b"TLS only" in plain.recv(4096)
    assert daemon.stop() == 0


def test_it_tells_what_proof_it_lacks(tmp_path: Path) -> None:
    done = Daemon(tmp_path, auth="auth/slurm").run("-D")
    assert done.returncode == 1 and "has nothing to prove itself by" in done.stderr and "slurm.key" in done.stderr


def test_a_database_server_that_is_away_is_waited_for_and_told_of(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.conf.write_text("\n".join((
        "AuthType=auth/local", f"PidFile={tmp_path}/slurmdbd.pid", f"SlurmUser={os.geteuid()}", "StorageType=accounting_storage/postgresql",
        f"StorageHost={tmp_path}", "")))
    daemon.process = subprocess.Popen([sys.executable, "-m", "slurm.slurmdbd", "-D", "-f", str(daemon.conf), "-L", str(daemon.log)], text=True,
                                      env={**os.environ, "PYTHONPATH": SOURCE})
    until(lambda: "postgresql database slurm_acct_db at" in daemon.said(), "it says nothing")
    for _ in itertools.repeat(None, 2):
        with daemon.dial() as connection, pytest.raises(SlurmError, match="Unable to connect to database"):
            connection.call({"type": "FindJobs", "wanted": {}})
    assert daemon.process.poll() is None
    assert daemon.stop() == 0


def test_a_slurmdbd_whose_parts_cannot_be_loaded_ends_and_says_why(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    broken = tmp_path / "broken" / "sqlalchemy"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no permission to read this')\n")
    done = subprocess.run(
        [sys.executable, "-m", "slurm.slurmdbd", "-D", "-f", str(daemon.conf), "-L", str(daemon.log)], capture_output=True, text=True, check=False,
        timeout=SECONDS, env={**os.environ, "PYTHONPATH": f"{tmp_path / 'broken'}{os.pathsep}{SOURCE}"})
    said = done.stderr + daemon.log.read_text()
    assert done.returncode == 1, said
    assert "slurmdbd cannot be loaded: ImportError: no permission to read this" in said and "cannot read where slurm-py is installed" in said
    assert not (tmp_path / "slurmdbd.pid").exists()
