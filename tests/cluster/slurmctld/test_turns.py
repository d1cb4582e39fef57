"""No request holds the controller's loop for long: the longest turn under a hostile mix, on 1,000 nodes with 20,000 jobs, in CPU of its thread."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import multiprocessing
import time
from asyncio import events
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from slurm.slurmctld.controller import Controller
from slurm.slurmctld.dispatch import answer
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import ALICE, ROOT, FakeNode, Stage
from tests.pace import pace

NODES, JOBS, LONGEST = 1_000, 20_000, 0.020
CONF = f"""
ClusterName=test
SlurmctldHost=localhost
SlurmUser=root
AuthType=auth/local
StateSaveLocation=/nowhere
MaxJobCount=100000
MaxArraySize=100001
SlurmdTimeout=0
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=10
NodeName=cn[0001-{NODES}] CPUs=64 RealMemory=400000 NodeHostname=localhost Features=a,b
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE
PartitionName=other Nodes=cn[0001-0500] MaxTime=INFINITE
"""
SCRIPT = {"script": "#!/bin/sh\n"}
EVERYBODY = [str(number) for number in range(1, 10_001)]


def submission(**request: object) -> tuple[str, dict[str, object]]:
    return "SubmitJob", {"request": {"name": "x", "work_dir": "/tmp", **request}, "payload": SCRIPT}


MIX: list[tuple[str, dict[str, object]]] = [
    submission(), submission(array="0-99999"), submission(array="1," * 32_000), submission(array=",".join(map(str, range(0, 24_000, 2)))),
    submission(array=",".join(f"{task}-{task + 9}:2" for task in range(0, 60_000, 11))), submission(array="1," * 32_000 + "x"), submission(dependency="afterany:" + ":".join(EVERYBODY[10:1_900])), submission(dependency="afterany" + ":5" * 60_000),
    submission(nodelist=f"cn[0001-{NODES}]"), submission(nodelist="cn[0-999999]"), submission(nodelist="nosuch"), submission(exclude=f"cn[0001-{NODES - 1}]"),
    submission(ntasks=2_000_000_000), submission(ntasks=64_000, nodes_min=1_000),
    ("SubmitJob", {"request": {"name": "x", "work_dir": "/tmp"}, "payload": {"script": "#!/bin/sh\n" + "#" * 1_000_000}}),
    ("TestJob", {"request": {"name": "x", "ntasks": 64_000}}), ("TestJob", {"request": {"name": "x", "nodes_min": 1_000}}),
    ("ListJobs", {"fields": ["jobid", "partition", "name", "username", "statecompact", "timeused", "numnodes", "reasonlist"]}),
    ("ListJobs", {"fields": ["jobid"] * 128}), ("ListJobs", {"fields": ["jobid", "name"], "filter": {"users": ["1001"]}}),
    ("ListJobs", {"fields": ["jobid"], "sort": "iAFKPtTpQSeVMlLDC"}), ("ListJobs", {"fields": ["jobid"], "filter": {"ids": EVERYBODY}}),
    ("ListJobs", {"fields": ["jobid", "name"] * 64, "filter": {"ids": EVERYBODY[:2_000]}}), ("ListJobs", {"fields": ["starttime"], "time_format": "%c" * 60}),
    ("ListJobs", {"fields": ["jobid"], "filter": {"ids": ["ARRAY"]}, "expand_arrays": True}),
    ("ListNodes", {"fields": ["nodelist", "statelong", "cpusstate", "memory"], "by_node": True}), ("ListNodes", {"fields": ["nodelist"] * 128, "by_node": True}),
    ("Describe", {"what": "job"}), ("Describe", {"what": "job", "names": ["77"]}), ("Describe", {"what": "job", "names": EVERYBODY[:1_000]}),
    ("Describe", {"what": "node"}), ("Describe", {"what": "node", "names": [f"cn[0001-{NODES}]"]}), ("Describe", {"what": "nodes_json", "format": "json"}),
    ("Describe", {"what": "partition"}), ("Describe", {"what": "config"}), ("Describe", {"what": "sinfo_json", "format": "json"}), ("Describe", {"what": "step"}),
    ("ExplainJob", {"job_id": "9000"}), ("UpdateJob", {"ids": "9000", "changes": {"TimeLimit": "5"}}),
    ("UpdateJob", {"ids": "ARRAY_[0-50000]", "changes": {"TimeLimit": "5"}}), ("UpdateJob", {"ids": "ARRAY_[0-400]", "changes": {"TimeLimit": "5"}}),
    ("UpdateJob", {"ids": "9500", "changes": {"Dependency": "afterany:" + ":".join(EVERYBODY[10:1_900])}}), ("HoldJobs", {"ids": ["name=j"]}),
    ("UpdateJob", {"ids": "name=j", "changes": {"TimeLimit": "5"}}), ("UpdateJob", {"ids": ",".join(EVERYBODY[5_000:8_000]), "changes": {"Nice": "5"}}),
    ("RequeueJobs", {"ids": ["name=j"]}), ("MoveToTop", {"ids": ["name=j1"]}), ("SuspendJobs", {"ids": ["name=j"]}),
    ("ReleaseJobs", {"ids": ["8"] * 10_000}), ("HoldJobs", {"ids": EVERYBODY[5_000:8_000]}), ("RequeueJobs", {"ids": EVERYBODY}),
    ("HoldJobs", {"ids": [f"ARRAY_[0-99999:{step}]" for step in range(2, 400)]}), ("HoldJobs", {"ids": [f"ARRAY_{task}" for task in range(0, 600, 2)]}),
    ("FindUsage", {}), ("FindUsage", {"ids": EVERYBODY}), ("FindUsage", {"ids": ["ARRAY_[0-99999]"] * 2_000}), ("FindUsage", {"ids": EVERYBODY[:1_000], "pids": True}),
    ("CancelJobs", {"filter": {"ids": ["ARRAY_[0-50000]"]}}), ("CancelJobs", {"filter": {"ids": EVERYBODY[6_000:7_000]}}),
    ("CancelJobs", {"filter": {"names": ["nosuch"]}}), ("CancelJobs", {"filter": {"ids": ["99999999"] * 10_000}}),
    ("CancelJobs", {"filter": {"users": ["u1", "1001"], "names": ["j3"]}}), ("CancelJobs", {"filter": {"states": ["pending"], "names": ["j5"]}})]


class Slow(FakeNode):
    """A node of this cluster."""

    def on_up(self) -> None:
        """Register."""
        self.send(n.RegisterNode(
            node=self.name, cpus=64, boards=1, sockets=1, cores_per_socket=64, threads_per_core=1, memory=400_000, tmp_disk=0, arch="x86_64", os="Linux",
            version="26.11", boot_time=self.boot_time, slurmd_start_time=self.started, endpoint=f"unix:/run/{self.name}.sock", hostname="localhost", port=6818))


@contextmanager
def watched(ticks: list[float] | None = None) -> Iterator[list[float]]:
    """The longest turn of the loop since the list was last cleared; each turn of the controller's clock in `ticks`."""
    longest: list[float] = []
    ticks = [] if ticks is None else ticks
    run = events.Handle._run

    def timed(self: events.Handle) -> None:
        began = time.thread_time()
        run(self)
        took = time.thread_time() - began
        if not longest or took > longest[0]:
            longest[:] = [took]
        if getattr(self._callback, "__func__", None) is Controller._tick:
            ticks.append(took)

    events.Handle._run = timed  # type: ignore[method-assign]
    try:
        yield longest
    finally:
        events.Handle._run = run  # type: ignore[method-assign]


async def fill(s: Stage) -> str:
    """Nodes and jobs; the id of a large array."""
    for number in range(1, NODES + 1):
        s.nodes.append(Slow(s, f"cn{number:04d}"))
    await s.until(lambda: all(node.of(n.NodeAccepted) for node in s.nodes), 120)
    clients = [s.client(ALICE + number) for number in range(20)]
    for number in range(JOBS):
        held = number >= JOBS // 10
        await clients[number % 20].submit(
            name=f"j{number % 50}" if number % 2 else "j", hold=held, cpus_per_task=1 + number % 64, nodes_min=1 + number % 3, time_limit=600 + number % 1000)
    return str(await clients[1].submit(array="0-99999", name="array", hold=True))


class Measured(NamedTuple):
    """Seconds by request, of the longest turn of the clock, and how many times as long as that of the limits this machine takes."""

    turns: dict[str, float]
    tick: float
    slower: float


def measured() -> Measured:
    """In a process of its own: what a fork takes goes with the memory of who forks, and pytest has 9,000 tests in its own."""
    logging.getLogger("slurmctld").setLevel(logging.ERROR)

    async def main() -> dict[str, float]:
        stage = Stage(CONF)
        try:
            array = await fill(stage)
            await asyncio.sleep(2)
            gc.collect()
            gc.freeze()
            gc.disable()
            with watched(ticks) as longest:
                return {f"{number} {kind} {str(fields)[:60]}": await longest_of(stage, longest, kind, json.dumps(fields).replace("ARRAY", array))
                        for number, (kind, fields) in enumerate(MIX)}
        finally:
            gc.enable()
            gc.unfreeze()
            await stage.close()

    ticks: list[float] = []
    slower = pace()
    found = asyncio.run(main())
    return Measured(found, max(ticks), max(slower, pace()))


@pytest.mark.alone
def test_the_longest_turn_of_the_loop_under_a_hostile_mix() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        found, tick, slower = process.submit(measured).result()
    print(f"this machine takes {slower:.2f} times as long as that of the limits")
    for what, seconds in sorted(found.items(), key=lambda item: -item[1])[:12]:
        print(f"{seconds * 1000:6.1f} ms  {what}")
    slow = {what: round(seconds, 4) for what, seconds in found.items() if seconds > LONGEST * slower}
    assert not slow
    assert tick < LONGEST * slower  # a thousand nodes of this test confirm nothing: their orders are sent again and again


async def longest_of(stage: Stage, longest: list[float], kind: str, fields: str) -> float:
    """The longest turn that a request made: the least of three tries, for a machine has other things to do."""
    payload = json.dumps({"type": kind, **json.loads(fields)}).encode()
    best = 1e9
    for uid in (ROOT, ALICE, ROOT):
        client = stage.client(uid)
        await asyncio.sleep(0.1)
        longest.clear()
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(answer(stage.ctl, client.session, payload))
        await asyncio.wait_for(task, 60)
        await stage.ctl.engine.settled()
        best = min(best, longest[0] if longest else 0.0)
        if best < LONGEST:
            break
    return best
