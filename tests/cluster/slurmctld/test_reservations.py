"""Reservations with a controller: the examples of the field as they stand, on a clock of their time and on ours; who may, what is shown, a restart."""

from __future__ import annotations

import shlex
import time
from datetime import datetime
from pathlib import Path

import pytest

from slurm.notation import moment
from slurm.slurmctld.session import user_name
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import ALICE, BOB, ROOT, Play, Stage

NODES = "lambda-gpu-[001-010]"
CONF = f"""
ClusterName=test
SlurmctldHost=localhost
SlurmUser=root
AuthType=auth/local
StateSaveLocation=/nowhere
ReturnToService=2
SlurmdTimeout=300
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=10
NodeName={NODES} CPUs=4 RealMemory=4000 NodeHostname=localhost Feature=h100
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE
"""
TRAINING = """create reservation ReservationName=ai-team-training StartTime={start} Duration=7-00:00:00 Nodes=lambda-gpu-[001-008]
    Users=alice,bob,charlie Features=h100"""
MAINTENANCE = """create reservation ReservationName=maintenance StartTime={start} EndTime={end} Nodes=ALL Flags=MAINT,IGNORE_JOBS"""
ROOTS = "create reservation ReservationName=maintenance starttime=now duration=120 user=root flags=maint,ignore_jobs nodes=ALL"
"""As two guides to Slurm write them."""
DECEMBER = "2024-12-01T09:00:00"


class People:
    """Users by the uids of the stage, where no names are known."""

    def user(self, text: str) -> str | None:
        uids = {"alice": ALICE, "bob": BOB, "charlie": 1003, "root": ROOT}
        return user_name(uids[text]) if text in uids else None

    def members(self, group: str) -> list[str] | None:
        return None


def changes(line: str) -> dict[str, str]:
    """The keys behind `create reservation`."""
    return dict(word.split("=", 1) for word in shlex.split(line)[2:])


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def ready(s: Stage, *names: str) -> None:
    s.ctl.directory = People()
    for name in names:
        await s.node(name)


def asked(s: Stage, **request: object) -> dict[str, object]:
    return {"name": "job", "work_dir": "/tmp", "time_limit": 3600, **request}


async def submit(s: Stage, uid: int, **request: object) -> int:
    return await s.client(uid).submit(**{"time_limit": 3600, **request})


@pytest.mark.parametrize("when", ["then", "now"])
def test_the_training_reservation_keeps_its_nodes_for_its_users_from_its_start_to_its_end(play: Play, when: str) -> None:
    async def scene(s: Stage) -> None:
        await ready(s, "lambda-gpu-001", "lambda-gpu-009")
        start = seconds(DECEMBER) if when == "then" else float(int(s.now()) + 3600)
        made = await s.client(ROOT).ask("CreateReservation", changes=changes(TRAINING.format(start=moment.show(start))))
        assert made == {"type": "ReservationMade", "name": "ai-team-training"}
        assert s.ctl.cluster.reservations["ai-team-training"].end == start + 7 * 86400
        long = await submit(s, BOB, time_limit=86400, nodelist="lambda-gpu-001")
        inside = await submit(s, ALICE, reservation="ai-team-training")
        stranger = await s.client(ROOT).ask("SubmitJob", request=asked(s, reservation="ai-team-training"), payload={"script": "#!/bin/sh\n", "argv": [], "environment": {}})
        assert stranger["message"] == "Access denied to requested reservation"
        beside = await submit(s, BOB, time_limit=86400)
        await s.until(lambda: s.state(beside) == "RUNNING")
        assert s.ctl.cluster.job(beside).batch_host == "lambda-gpu-009"
        assert s.state(long) == s.state(inside) == "PENDING"
        s.set_clock(start)
        await s.until(lambda: s.state(inside) == "RUNNING")
        assert s.ctl.cluster.job(inside).batch_host == "lambda-gpu-001" and s.state(long) == "PENDING"
        shown = await s.client(BOB).ask("Describe", what="reservation")
        assert "Nodes=lambda-gpu-[001-008] NodeCnt=8 CoreCnt=32 Features=h100" in shown["text"] and "State=ACTIVE" in shown["text"]
        s.set_clock(start + 7 * 86400)
        await s.until(lambda: s.ctl.cluster.job(inside).state.finished)
        assert not s.ctl.cluster.reservations

    play(scene, CONF, shift=seconds("2024-11-30T20:00:00") - time.time() if when == "then" else 0.0)


@pytest.mark.parametrize("when", ["then", "now"])
def test_the_maintenance_of_the_guide_names_nobody_is_for_whoever_orders_it_and_closes_every_node_in_time(play: Play, when: str) -> None:
    async def scene(s: Stage) -> None:
        await ready(s, "lambda-gpu-001")
        start = seconds("2024-12-15T02:00:00") if when == "then" else float(int(s.now()) + 6 * 3600)
        keys = changes(MAINTENANCE.format(start=moment.show(start), end=moment.show(start + 4 * 3600)))
        assert (await s.client(ROOT).ask("CreateReservation", changes=keys))["name"] == "maintenance"
        assert s.ctl.cluster.reservations["maintenance"].users == [user_name(ROOT)]
        too_long, fits = await submit(s, ALICE, time_limit=86400), await submit(s, ALICE)
        await s.until(lambda: s.state(fits) == "RUNNING")
        assert s.state(too_long) == "PENDING"
        s.set_clock(start + 1)
        await s.until(lambda: s.ctl.cluster.reservations["maintenance"].begun)
        shown = await s.client(ALICE).ask("ListNodes", fields=["NodeList", "StateCompact"], states=["maint"])
        assert {row[1] for row in shown["rows"]} <= {"maint", "mix$", "unk$", "maint*", "down$", "unk*"} and shown["rows"]
        s.set_clock(start + 4 * 3600)
        await s.until(lambda: s.state(too_long) == "RUNNING" or s.ctl.cluster.job(fits).state.finished)

    play(scene, CONF, shift=seconds("2024-12-14T22:00:00") - time.time() if when == "then" else 0.0)


def test_nodes_are_taken_for_maintenance_at_once_shown_and_given_back(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await ready(s, "lambda-gpu-001")
        before = await submit(s, ALICE)
        await s.until(lambda: s.state(before) == "RUNNING")
        assert (await s.client(ROOT).ask("CreateReservation", changes=changes(ROOTS)))["name"] == "maintenance"
        waits = await submit(s, ALICE)
        shown = await s.client(ALICE).ask("Describe", what="reservation_table")
        name, state, *_, nodes = shown["text"].splitlines()[1].split()
        assert (name, state, nodes) == ("maintenance", "ACTIVE", NODES)
        node = await s.client(ALICE).ask("Describe", what="node", names=["lambda-gpu-001"])
        assert "State=MIXED+MAINTENANCE+RESERVED" in node["text"] and "ReservationName=maintenance" in node["text"]
        wrong = await s.client(ROOT).ask("DeleteReservation", name="maintain")
        assert wrong["message"] == "Requested reservation is invalid" and "reservations: maintenance" in wrong["hints"]
        assert s.state(waits) == "PENDING" and s.state(before) == "RUNNING"
        assert (await s.client(ROOT).ask("DeleteReservation", name="maintenance"))["type"] == "Done"
        await s.until(lambda: s.state(waits) == "RUNNING")

    play(scene, CONF)


def test_a_restart_keeps_reservations_and_ends_their_jobs_in_time(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await ready(s, "lambda-gpu-001")
        await s.client(ROOT).ask("CreateReservation", changes={"ReservationName": "r", "StartTime": "now", "Duration": "10", "Users": "alice", "Nodes": "lambda-gpu-001"})
        job = await submit(s, ALICE, reservation="r", time_limit=-1)
        await s.until(lambda: s.state(job) == "RUNNING")
        await s.until(lambda: s.nodes[0].of(n.LaunchBatch))
        order = s.nodes[0].of(n.LaunchBatch)[0]
        assert order.environment.get("SLURM_JOB_RESERVATION") == "r" and 0 < order.time_left <= 600
        await s.restart()
        assert s.ctl.cluster.reservations["r"].begun
        s.set_clock(s.now() + 601)
        await s.until(lambda: s.state(job) == "TIMEOUT")
        assert "r" not in s.ctl.cluster.reservations

    play(scene, CONF)


def test_with_private_data_only_those_who_may_use_a_reservation_see_it(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await ready(s, "lambda-gpu-001")
        keys = {"ReservationName": "secret", "StartTime": "now", "Duration": "5", "Users": "alice", "Nodes": "lambda-gpu-001"}
        assert (await s.client(ROOT).ask("CreateReservation", changes=keys))["name"] == "secret"
        for what in ("reservation", "reservation_table", "node"):
            for uid, sees in ((ALICE, True), (ROOT, True), (BOB, False)):
                assert ("secret" in (await s.client(uid).ask("Describe", what=what))["text"]) == sees, (what, uid)

    play(scene, CONF + "PrivateData=reservations\n")


def test_only_operators_change_reservations_and_names_come_back(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await ready(s)
        keys = {"StartTime": "now", "Duration": "5", "Users": "bob", "Nodes": "lambda-gpu-001"}
        refused = await s.client(BOB).ask("CreateReservation", changes=keys)
        assert (refused["kind"], refused["message"]) == ("NotPermitted", "Invalid user id")
        assert (await s.client(ROOT).ask("CreateReservation", changes=keys))["name"] == f"{user_name(BOB)}_1"
        for kind, fields in (("UpdateReservation", {"changes": {"Duration": "6"}}), ("DeleteReservation", {})):
            assert (await s.client(BOB).ask(kind, name=f"{user_name(BOB)}_1", **fields))["message"] == "Invalid user id"
            assert (await s.client(ROOT).ask(kind, name=f"{user_name(BOB)}_1", **fields))["type"] == "Done"

    play(scene, CONF)


def test_programs_are_run_with_the_name_of_each_reservation_that_begins_and_that_ends(play: Play, tmp_path: Path) -> None:
    for name in ("prolog", "epilog"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" $SLURM_CLUSTER_NAME >>{tmp_path}/told\n[ "$1" != odd ]\n')
        program.chmod(0o755)

    def told() -> list[str]:
        return (tmp_path / "told").read_text().splitlines() if (tmp_path / "told").exists() else []

    async def scene(s: Stage) -> None:
        await ready(s)
        start = float(int(s.now()) + 3600)
        for name, begin, more in (("odd", start, ""), ("never", start + 7200, ""), ("daily", start, "flags=daily")):
            line = f"create reservation ReservationName={name} starttime={moment.show(begin)} duration=60 user=root nodes=lambda-gpu-001 {more}"
            line = line.replace("flags=", "flags=overlap,") if more else f"{line} flags=overlap"
            made = await s.client(ROOT).ask("CreateReservation", changes=changes(line))
            assert made["type"] == "ReservationMade", made
        assert (await s.client(ROOT).ask("DeleteReservation", name="never"))["type"] != "Failure"
        s.set_clock(start)
        await s.until(lambda: len(told()) == 2)
        s.set_clock(start + 3600)
        await s.until(lambda: len(told()) == 4)
        s.set_clock(start + 86400)
        await s.until(lambda: len(told()) == 5)
        assert sorted(told()[:2]) == ["prolog daily test", "prolog odd test"] and sorted(told()[2:4]) == ["epilog daily test", "epilog odd test"]
        assert told()[4:] == ["prolog daily test"]

    play(scene, f"{CONF}ResvProlog={tmp_path}/prolog\nResvEpilog={tmp_path}/epilog\n")
