"""The whole service in this process: sockets, files, start, end, and what stops it from starting."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from slurm.config.config import Config, load
from slurm.core import events as e
from slurm.daemon.logs import Verbosity
from slurm.model import msgpack
from slurm.model.errors import StoreError
from slurm.model.ids import JobId, Uid
from slurm.net import client
from slurm.net.discovery import read_site
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.service import Service, forget
from slurm.store.journal import Record
from slurm.store.memory import MemoryDisk, MemoryJournal
from slurm.store.sqlite_journal import SqliteJournal
from slurm.testing import builders as b

CONF = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/local
SlurmUser={uid}
StateSaveLocation={root}/state
SlurmctldPidFile={root}/slurmctld.pid
NodeName=cn01 CPUs=4 RealMemory=4000
PartitionName=debug Nodes=ALL Default=YES
"""
JOB = {"type": "SubmitJob", "request": {"name": "job", "work_dir": "/tmp"},
       "payload": {"script": "#!/bin/sh\n", "argv": [], "environment": {}}}


def conf_of(root: Path) -> Config:
    path = root / "slurm.conf"
    if not path.exists():
        path.write_text(CONF.format(root=root, uid=os.getuid()))
    return load(str(path))


def serve(root: Path, scene: Callable[[Service, Callable[..., Coroutine[Any, Any, dict[str, Any]]]], Coroutine[None, None, None]],
          service_type: type[Service] = Service, **limits: int) -> None:
    """Start a service, play, end it in order."""
    config = conf_of(root)
    site = read_site(config.path, {})

    async def ask(kind: str, **fields: object) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            with client.reach(site) as connection:
                return connection.call({"type": kind, **fields}, 10.0)

        return await asyncio.to_thread(call)

    async def main() -> None:
        ready = asyncio.Event()
        service = service_type(config, lambda _: Verbosity(logging.INFO), "", **limits)
        running = asyncio.create_task(service.run(ready.set))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            waiting.cancel()
            await running
        try:
            await asyncio.wait_for(scene(service, ask), 20)
        finally:
            service.stop()
            await asyncio.wait_for(running, 20)

    asyncio.run(main())


def test_who_comes_before_the_clockwork_goes_waits_for_it(tmp_path: Path) -> None:
    """A node that registered in this gap was set silent by the beginning and stayed so: `slurm up` failed one time in ten."""
    early: list[asyncio.Task[Any]] = []

    class Slow(Service):
        async def _begin_accounting(self, *rest: Any) -> None:  # sockets are open here
            def call() -> dict[str, Any]:
                with client.reach(read_site(self.config.path, {})) as connection:
                    return connection.call({"type": "SubmitJob", **JOB}, 10.0)

            early.append(asyncio.create_task(asyncio.to_thread(call)))
            await asyncio.sleep(0.3)
            assert not early[0].done()
            assert not self.controller.cluster.jobs

    async def scene(service: Service, ask: Callable[..., Coroutine[Any, Any, dict[str, Any]]]) -> None:
        assert (await early[0])["type"] != "Error"
        assert len(service.controller.cluster.jobs) == 1

    serve(tmp_path, scene, service_type=Slow)


def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async def first(service: Service, ask: Any) -> None:
        assert (await ask(**_split(JOB)))["job_id"] == 1
        assert (await ask("Ping"))["pid"] == os.getpid()

    async def second(service: Service, ask: Any) -> None:
        rows = (await ask("ListJobs", fields=["JobID", "State"]))["rows"]
        assert rows == [["1", "PENDING"]]
        assert (await ask(**_split(JOB)))["job_id"] == 2

    serve(tmp_path, first)
    serve(tmp_path, second)


def test_a_snapshot_taken_while_serving_and_the_events_after_it_are_the_state(tmp_path: Path) -> None:
    async def first(service: Service, ask: Any) -> None:
        for _ in range(8):
            await ask(**_split(JOB))
        path = f"file:{tmp_path}/state/journal.db?mode=ro"
        with sqlite3.connect(path, uri=True) as looked:
            while not looked.execute("SELECT count(*) FROM complete").fetchone()[0]:
                await asyncio.sleep(0.05)
            await ask(**_split(JOB))
            (tmp_path / "copy").mkdir()
            with sqlite3.connect(tmp_path / "copy/journal.db") as copy:
                looked.backup(copy)

    serve(tmp_path, first, snapshot_events=5)
    journal = SqliteJournal(str(tmp_path / "copy/journal.db"), cluster="test", now=0.0)
    try:
        assert journal.snapshot_seq
        assert sorted(restore(journal).jobs) == list(range(1, 10))
    finally:
        journal.close()


def test_state_is_for_its_owner_alone_and_sockets_for_everybody(tmp_path: Path) -> None:
    async def scene(service: Service, ask: Any) -> None:
        modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in (
            "state", "state/journal.db", "state/journal.db-wal", "state/credential.key", "slurmctld.sock")}
        assert modes == {
            "state": 0o700, "state/journal.db": 0o600, "state/journal.db-wal": 0o600, "state/credential.key": 0o600, "slurmctld.sock": 0o666}

    before = os.umask(0)
    try:
        serve(tmp_path, scene)
    finally:
        os.umask(before)
    assert not (tmp_path / "slurmctld.sock").exists()


def test_a_second_controller_on_the_same_state_is_refused(tmp_path: Path) -> None:
    async def scene(service: Service, ask: Any) -> None:
        with pytest.raises(StoreError, match="in use by another slurmctld"):
            SqliteJournal(str(tmp_path / "state/journal.db"), cluster="test", now=0.0)
        with pytest.raises(StoreError, match="in use by another slurmctld"):
            forget(str(tmp_path / "state"))

    serve(tmp_path, scene)


def test_the_state_of_the_last_run_can_be_put_aside(tmp_path: Path) -> None:
    async def first(service: Service, ask: Any) -> None:
        await ask(**_split(JOB))

    async def second(service: Service, ask: Any) -> None:
        assert (await ask("ListJobs", fields=["JobID"]))["rows"] == []

    serve(tmp_path, first)
    forget(str(tmp_path / "state"))
    assert (tmp_path / "state" / "journal.db.old").exists()
    serve(tmp_path, second)
    forget(str(tmp_path / "state"))
    forget(str(tmp_path / "nowhere"))


def test_orders_of_operators_are_carried_out_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(service: Service, ask: Any) -> None:
        await ask("UpdateNode", nodes="cn01", changes={"State": "DRAIN", "Reason": "fan"})
        conf = tmp_path / "slurm.conf"
        conf.write_text(conf.read_text() + "KillWait=3\nSlurmctldPort=7000\n")
        lines = (await ask("Reconfigure"))["lines"]
        assert any("SlurmctldPort was changed" in line for line in lines)
        assert service.controller.cluster.settings.kill_wait == 3
        assert service.controller.cluster.nodes["cn01"].drain  # type: ignore[index]
        conf.write_text("NodeName=cn01 CPUs=nonsense\n")
        with pytest.raises(Exception, match="nonsense|CPUs"):
            await ask("Reconfigure")
        assert service.controller.cluster.settings.kill_wait == 3

    with caplog.at_level(logging.INFO):
        serve(tmp_path, scene)
    assert "Node cn01 set to drain by" in caplog.text.replace("DRAIN", "drain")
    assert "was read again" in caplog.text


def test_garbage_requests_are_answered_and_change_nothing(tmp_path: Path) -> None:
    async def scene(service: Service, ask: Any) -> None:
        for kind, fields in (("Nonsense", {}), ("SubmitJob", {}), ("WaitJob", {"job_id": "x"}), ("UpdateJob", {"ids": 5, "changes": []})):
            with pytest.raises(Exception, match="Malformed|closed"):
                await ask(kind, **fields)
        assert (await ask("Ping"))["type"] == "Pong"

    serve(tmp_path, scene)


@pytest.mark.parametrize(("kind", "body", "said"), [
    ("Teleported", msgpack.encode({"type": "Teleported", "at": 1.0}), "cannot be read"),
    ("Cancelled", msgpack.encode(e.Cancelled(at=1.0, job=JobId(5), by=Uid(0))), "cannot follow those before it"),
    ("Cancelled", b"\xc1", "cannot be read")])
def test_a_journal_that_makes_no_sense_stops_the_start_with_the_number_of_the_event(kind: str, body: bytes, said: str) -> None:
    disk = MemoryDisk()
    configured = e.Configured(at=b.T0, settings=b.cluster().settings, nodes=[b.node("cn01")], partitions=[])
    MemoryJournal(disk).append([Record(1.0, "Configured", msgpack.encode(configured)), Record(1.0, kind, body)])
    with pytest.raises(StoreError, match=f"event 2 of the journal {said}"):
        restore(MemoryJournal(disk))


def _split(message: dict[str, Any]) -> dict[str, Any]:
    return {"kind" if key == "type" else key: value for key, value in message.items()}
