"""What the accounting database must do, whichever server keeps it: run on SQLite by tests/unit, on PostgreSQL and MariaDB by tests/system.

Whoever runs it gives the fixture `database`: one that was opened and is empty.
"""

import random
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from slurm.model.accounting import (
    AccountingRecord,
    ClusterRecord,
    JobFilter,
    JobRecord,
    NodeEventRecord,
    Outgoing,
    PayloadRecord,
    ReservationFilter,
    ReservationRecord,
    StepRecord,
    SuspensionRecord,
    UsageFilter,
)
from slurm.model.errors import InvalidRequest, NotFound, StoreError
from slurm.model.ids import Digest, Gid, JobId, NodeName, StepId, Uid
from slurm.model.states import JobState
from slurm.store.accounting import schema, upgrade
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.database import Database, Registration

HOUR = 3600
NOON = 1_700_000_000 // 86_400 * 86_400 + 12 * HOUR
"""12:00 UTC on 14 November 2023."""
JOURNAL = "j1"


class Feeding:
    """A controller in a few lines: registers, and sends records with rising numbers."""

    def __init__(self, database: Database, cluster: str = "c", journal: str = JOURNAL, zone: str = "UTC", owner: str = "") -> None:
        self.database = database
        self.cluster = cluster
        self.journal = journal
        self.registered = database.register(Registration(cluster, journal, time_zone=zone, owner=owner))
        self.sequence = self.registered.through

    def numbered(self, *records: AccountingRecord) -> list[Outgoing]:
        made = [Outgoing(self.sequence + number, record) for number, record in enumerate(records, 1)]
        self.sequence += len(records)
        return made

    def take(self, *records: AccountingRecord) -> int:
        return self.database.take(self.cluster, self.journal, self.numbered(*records))

    def roll_up(self, until: float) -> None:
        for _ in self.database.roll_up(next(each for each in self.database.clusters() if each.name == self.cluster), until):
            pass


def job(number: int, start: float = 0.0, end: float = 0.0, **more: object) -> JobRecord:
    """A job of anna's with 4 CPUs, submitted at noon unless told otherwise."""
    values: dict[str, object] = {
        "id": JobId(number), "uid": Uid(1000), "gid": Gid(100), "user": "anna", "group": "users", "account": "physics", "partition": "debug", "name": "work",
        "submit_time": start or NOON, "eligible_time": start or NOON, "start_time": start, "end_time": end,
        "state": JobState.COMPLETED if end else JobState.RUNNING if start else JobState.PENDING, "cpus_requested": 4, "nodes_requested": 1,
        "requested": {"cpu": 4, "mem": 100, "node": 1}, "allocated": {"cpu": 4, "mem": 100, "node": 1} if start else {}, "nodes": "cn01" if start else ""}
    return JobRecord(**{**values, **more})  # type: ignore[arg-type]


def found(database: Database, **wanted: object) -> list[tuple[int, int]]:
    """(job id, restarts) of what is found, in order."""
    return [(row.job.id, row.job.restarts) for row in database.jobs(JobFilter(**wanted), "c")]  # type: ignore[arg-type]


# --- what is there at first -------------------------------------------------------------------------------------------


def test_a_fresh_database_has_roots_account_and_user_the_qos_normal_and_slurms_tres_by_their_numbers(database: Database) -> None:
    with database.engine.connect() as connection:
        assert connection.execute(sa.select(policy.accounts.c.name)).scalars().all() == ["root"]
        assert connection.execute(sa.select(policy.users.c.name, policy.users.c.admin_level)).all() == [("root", "Administrator")]
        assert connection.execute(sa.select(policy.qos.c.name)).scalars().all() == ["normal"]
        assert connection.execute(sa.select(schema.tres.c.id, schema.tres.c.type, schema.tres.c.name).order_by(schema.tres.c.id)).all() == [
            (1, "cpu", ""), (2, "mem", ""), (3, "energy", ""), (4, "node", ""), (5, "billing", ""), (6, "fs", "disk"), (7, "vmem", ""), (8, "pages", "")]
    assert database.admin_level("root") == "Administrator" and database.admin_level("anna") == "None"


def test_a_resource_that_a_cluster_brings_gets_a_number_above_a_thousand(database: Database) -> None:
    Feeding(database).take(ClusterRecord(start_time=NOON, tres={"cpu": 8, "gres/gpu": 2, "gres/gpu:a100": 2}))
    Feeding(database, "d").take(ClusterRecord(start_time=NOON, tres={"gres/gpu": 4, "license/matlab": 3}))
    with database.engine.connect() as connection:
        assert connection.execute(sa.select(schema.tres.c.id, schema.tres.c.type, schema.tres.c.name).where(schema.tres.c.id > 8).order_by("id")).all() == [
            (1001, "gres", "gpu"), (1002, "gres", "gpu:a100"), (1003, "license", "matlab")]


def test_opening_a_database_again_changes_nothing(database: Database) -> None:
    Feeding(database).take(job(1))
    again = Database(database.storage)
    again.open()
    assert found(again) == [(1, 0)]
    again.close()


def test_a_database_of_a_newer_version_is_refused_with_a_sentence(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(StoreError, match="was written by a newer slurm-py"):
            Database(database.storage).open()
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{schema.HEAD:04}'")


STEP = '''"""A step for this test."""

import sqlalchemy as sa
from alembic import op

revision = "{:04}"
down_revision = "{:04}"


def upgrade() -> None:
    """A column more."""
    op.add_column("wckeys", sa.Column("added{}", sa.String(20), nullable=False, server_default="new"))
'''


def test_a_database_of_an_older_version_is_upgraded_step_by_step(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Feeding(database).take(job(1))
    with database.engine.begin() as connection:
        connection.execute(sa.insert(policy.wckeys).values(cluster_id=1, name="w"))
    shutil.copytree(upgrade.MIGRATIONS, tmp_path / "migrations")
    for number in (1, 2):
        version = schema.HEAD + number
        (tmp_path / "migrations" / "versions" / f"v{version:04}_test.py").write_text(STEP.format(version, version - 1, number))
    monkeypatch.setattr(upgrade, "MIGRATIONS", str(tmp_path / "migrations"))
    monkeypatch.setattr(upgrade, "HEAD", schema.HEAD + 2)
    try:
        for _ in range(2):  # once it is there, it is left alone
            Database(database.storage).open()
        with database.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT name, added1, added2 FROM wckeys").all() == [("w", "new", "new")]
            assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [(f"{schema.HEAD + 2:04}",)]
        assert found(database) == [(1, 0)]
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE wckeys DROP COLUMN added1")
            connection.exec_driver_sql("ALTER TABLE wckeys DROP COLUMN added2")
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{schema.HEAD:04}'")


# --- records in -------------------------------------------------------------------------------------------------------


def test_what_comes_twice_stands_once(database: Database) -> None:
    controller = Feeding(database)
    first = controller.numbered(job(1), job(2))
    assert database.take("c", JOURNAL, first) == 2
    assert database.take("c", JOURNAL, first) == 2
    assert database.take("c", JOURNAL, [*first, *controller.numbered(job(3))]) == 3
    assert found(database) == [(1, 0), (2, 0), (3, 0)]
    assert Feeding(database).registered.through == 3


def test_an_old_record_that_comes_again_does_not_undo_a_later_one(database: Database) -> None:
    controller = Feeding(database)
    old = controller.numbered(job(1))
    database.take("c", JOURNAL, old)
    controller.take(job(1, NOON, NOON + 60))
    assert database.take("c", JOURNAL, old) == 2
    assert [row.job.end_time for row in database.jobs(JobFilter(), "c")] == [NOON + 60]


def test_a_gap_is_refused_whole(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1))
    controller.sequence += 1
    with pytest.raises(StoreError, match="record 3 came after record 1"):
        controller.take(job(2))
    assert found(database) == [(1, 0)]


def test_records_of_a_cluster_that_has_not_registered_are_refused(database: Database) -> None:
    with pytest.raises(NotFound, match="cluster nowhere has not registered"):
        database.take("nowhere", JOURNAL, [Outgoing(1, job(1))])


def test_a_record_comes_back_as_it_was(database: Database) -> None:
    text = "'; DROP TABLE jobs; -- \x1b[31m ‮ \t\n \\ \" 💥"
    whole = job(
        7, NOON, NOON + 3661.25, array_job=JobId(5), array_task=3, name=text, comment=text + "\0", work_dir=text, reason=text, constraints=text, wckey="w",
        flags=["requeued", "SchedMain"], exit_status=256, killed_by=Uid(0), suspended_seconds=1.5, allocated={"cpu": 4, "gres/gpu:a100": 2})
    step = StepRecord(job=JobId(7), step=StepId(-5), name="batch", start_time=NOON, end_time=NOON + 9, submit_line=text, usage=None)
    Feeding(database).take(whole, step)
    (row,) = database.jobs(JobFilter(), "c")
    assert (row.cluster, row.job, row.steps) == ("c", whole, [step])
    assert found(database, names=[text]) == [(7, 0)] and found(database, names=["x' OR '1'='1"]) == []


def test_only_the_last_life_of_a_job_is_found_unless_duplicates_are_wanted(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1, NOON, NOON + 5, flags=["requeued"]), job(1, restarts=1))
    controller.take(job(1, NOON + 9, restarts=2))
    assert found(database) == [(1, 2)]
    assert found(database, duplicates=True) == [(1, 0), (1, 1), (1, 2)]
    controller.take(job(1, NOON, NOON + 5, restarts=1, comment="late"))
    assert found(database) == [(1, 2)]


def test_a_life_that_comes_after_a_later_one_is_not_taken_for_the_last(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1, NOON + 9, restarts=2))
    controller.take(job(1, NOON, NOON + 5))
    assert found(database) == [(1, 2)]


@pytest.mark.parametrize("apart", [True, False])
def test_job_ids_that_begin_again_do_not_overwrite_the_jobs_that_had_them(database: Database, apart: bool) -> None:
    controller = Feeding(database)
    old = [job(1, NOON, NOON + 60), StepRecord(job=JobId(1), step=StepId(0), name="old", start_time=NOON)]
    new = [job(1, NOON + HOUR, user="bert"), StepRecord(job=JobId(1), step=StepId(0), name="new", start_time=NOON + HOUR)]
    if apart:
        controller.take(*old)
        controller.take(*new)
    else:
        controller.take(*old, *new)
    assert [(row.job.user, [step.name for step in row.steps]) for row in database.jobs(JobFilter(), "c")] == [("bert", ["new"])]
    assert [(row.job.user, [step.name for step in row.steps]) for row in database.jobs(JobFilter(duplicates=True), "c")] == [
        ("anna", ["old"]), ("bert", ["new"])]


def test_a_new_journal_of_an_old_cluster_is_told_the_highest_job_id(database: Database) -> None:
    Feeding(database).take(job(5), job(41), job(6))
    new = Feeding(database, journal="j2")
    assert (new.registered.through, new.registered.highest_job) == (0, 41)
    new.take(job(42))
    assert found(database) == [(5, 0), (6, 0), (41, 0), (42, 0)]


def test_a_database_that_lost_records_does_not_wait_for_what_cannot_come_again(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1))
    again = database.register(Registration("c", JOURNAL, first=8))
    assert again.through == 1
    assert database.take("c", JOURNAL, [Outgoing(8, job(2))]) == 8
    assert found(database) == [(1, 0), (2, 0)]


def test_clusters_do_not_see_each_others_jobs_unless_asked(database: Database) -> None:
    Feeding(database, "c").take(job(1))
    Feeding(database, "d").take(job(1), job(2))
    assert found(database) == [(1, 0)]
    assert found(database, clusters=["d"]) == [(1, 0), (2, 0)]
    assert [(row.cluster, row.job.id) for row in database.jobs(JobFilter(all_clusters=True), "c")] == [("c", 1), ("d", 1), ("d", 2)]


def test_a_script_is_kept_once_by_content(database: Database) -> None:
    digest = Digest("a" * 64)
    content = b"#!/bin/sh\n\0\xff\xfe"
    controller = Feeding(database)
    controller.take(PayloadRecord(digest=digest, what="script", content=content), job(1, script=digest))
    controller.take(PayloadRecord(digest=digest, what="script", content=content), job(2, script=digest))
    assert database.payload(digest) == content
    with pytest.raises(NotFound, match="no such script"):
        database.payload("b" * 64)


def test_a_user_without_an_account_is_counted_for_his_default_one_where_he_has_one(database: Database) -> None:
    controller = Feeding(database, owner="anna")
    controller.take(job(1, account=""), job(2, account="", user="bert"), job(3, account="physics"))
    rows = {row.job.id: row.job for row in database.jobs(JobFilter(), "c")}
    assert [(rows[JobId(n)].account, rows[JobId(n)].association > 0) for n in (1, 2, 3)] == [("default", True), ("", False), ("physics", False)]
    assert found(database, accounts=["default"]) == [(1, 0)]


# --- jobs out ---------------------------------------------------------------------------------------------------------


def test_each_filter_finds_what_it_says(database: Database) -> None:
    Feeding(database).take(
        job(1, NOON, NOON + 60, user="bert", uid=Uid(1001), gid=Gid(200), account="chemistry", qos="high", wckey="w", name="sim", nodes="cn[01-03]",
            allocated={"cpu": 64}, node_count=3, time_limit=600, constraints="gpu&fast", flags=["SchedBackfill"]),
        job(2, NOON, partition="debug,gpu", time_limit=60),
        job(3, reason="Dependency", array_job=JobId(3), array_tasks="4-9%2"),
        job(4, NOON, array_job=JobId(3), array_task=2),
        job(5, NOON, het_job=JobId(5), het_offset=0), job(6, NOON, het_job=JobId(5), het_offset=1))
    wanted: list[tuple[dict[str, object], list[int]]] = [
        ({"users": ["bert"]}, [1]), ({"uids": [1001]}, [1]), ({"gids": [200]}, [1]), ({"accounts": ["chemistry"]}, [1]), ({"qos": ["high"]}, [1]),
        ({"wckeys": ["w"]}, [1]), ({"names": ["sim"]}, [1]), ({"nodes": ["cn02"]}, [1]), ({"nodes": ["cn01"]}, [1, 2, 4, 5, 6]), ({"cpus": (10, 100)}, [1]),
        ({"node_counts": (3, 3)}, [1]), ({"time_limits": (600, 600)}, [1]), ({"constraints": ["fast"]}, [1]), ({"flags": ["schedbackfill"]}, [1]),
        ({"partitions": ["gpu"]}, [2]), ({"partitions": ["gp"]}, []), ({"reasons": ["Dependency"]}, [3]), ({"states": [JobState.PENDING]}, [3]),
        ({"jobs": [(3, None, None)]}, [3, 4]), ({"jobs": [(3, 2, None)]}, [4]), ({"jobs": [(3, 5, None)]}, [3]), ({"jobs": [(3, 3, None)]}, []),
        ({"jobs": [(5, None, None)]}, [5, 6]), ({"jobs": [(5, 1, None)]}, [6]), ({"jobs": [(1, None, None), (3, 2, None)]}, [1, 4])]
    for asked, expected in wanted:
        assert [number for number, _ in found(database, **asked)] == expected, asked


def test_a_window_finds_what_was_waiting_running_or_ended_in_it(database: Database) -> None:
    Feeding(database).take(
        job(1, NOON - 10 * HOUR, NOON - 9 * HOUR), job(2, NOON - 2 * HOUR, NOON), job(3, NOON - HOUR), job(4, submit_time=NOON - HOUR),
        job(5, NOON + 1, NOON + HOUR, submit_time=NOON - HOUR, eligible_time=NOON - HOUR, state=JobState.FAILED), job(6, NOON + 9 * HOUR),
        SuspensionRecord(job=JobId(3), start_time=NOON - 60, end_time=NOON + 60))
    window = {"since": NOON - 600.0, "until": NOON + 600.0}
    assert [number for number, _ in found(database, **window)] == [2, 3, 4, 5]
    cases = {JobState.COMPLETED: [2], JobState.RUNNING: [2, 3, 5], JobState.PENDING: [4, 5], JobState.FAILED: [], JobState.SUSPENDED: [3]}
    for state, expected in cases.items():
        assert [number for number, _ in found(database, states=[state], **window)] == expected, state
    assert [number for number, _ in found(database, states=[JobState.FAILED], since=NOON + 600.0)] == [5]


def test_steps_come_with_their_jobs_in_the_order_in_which_they_began_and_by_name(database: Database) -> None:
    steps = [StepRecord(job=JobId(1), step=StepId(number), start_time=start) for number, start in ((1, NOON + 9), (-5, NOON), (0, NOON + 1))]
    Feeding(database).take(job(1, NOON), *steps, job(2, NOON), StepRecord(job=JobId(2), step=StepId(0)))
    assert [[step.step for step in row.steps] for row in database.jobs(JobFilter(), "c")] == [[-5, 0, 1], [0]]
    assert [[step.step for step in row.steps] for row in database.jobs(JobFilter(jobs=[(JobId(1), None, StepId(1))]), "c")] == [[1]]
    assert [row.steps for row in database.jobs(JobFilter(steps=False), "c")] == [[], []]


def test_many_jobs_come_in_pieces_whole_and_an_answer_may_be_left_in_the_middle(database: Database) -> None:
    controller = Feeding(database)
    for begin in range(1, 3001, 500):
        controller.take(*(record for number in range(begin, begin + 500) for record in (job(number, NOON), StepRecord(job=JobId(number), step=StepId(0)))))
    rows = list(database.jobs(JobFilter(), "c"))
    assert [row.job.id for row in rows] == list(range(1, 3001)) and all(len(row.steps) == 1 for row in rows)
    for _ in range(20):  # more than there are connections
        left = database.jobs(JobFilter(), "c")
        next(left)
        left.close()  # type: ignore[attr-defined]
    assert len(found(database)) == 3000


# --- usage ------------------------------------------------------------------------------------------------------------


def seconds(database: Database, since: float, until: float, tres: str = "cpu", **more: object) -> dict[tuple[str, str], int]:
    """(account, user) → TRES-seconds."""
    return {(row.account, row.user): row.seconds for row in database.usage_of_associations(
        UsageFilter(since=since, until=until, tres=[tres], **more), "c")}  # type: ignore[arg-type]


def test_usage_is_elapsed_time_less_suspensions_to_the_second(database: Database) -> None:
    controller = Feeding(database)
    controller.take(
        ClusterRecord(start_time=NOON - 86_400, nodes="cn[01-02]", tres={"cpu": 8, "mem": 1000}), job(1, NOON + 0.7, NOON + 3 * HOUR + 61.2),
        SuspensionRecord(job=JobId(1), start_time=NOON + HOUR - 30, end_time=NOON + HOUR + 30), job(2, NOON + 5, NOON + 10, user="bert", wckey="w"))
    controller.roll_up(NOON + 6 * HOUR)
    assert seconds(database, NOON - 86_400, NOON + 6 * HOUR) == {("physics", "anna"): 4 * (3 * HOUR + 61 - 60), ("physics", "bert"): 20}
    assert seconds(database, NOON, NOON + HOUR) == {("physics", "anna"): 4 * (HOUR - 30), ("physics", "bert"): 20}
    assert seconds(database, NOON, NOON + HOUR, users=["bert"]) == {("physics", "bert"): 20}
    (of_wckey,) = database.usage_of_wckeys(UsageFilter(since=NOON, until=NOON + HOUR, tres=["cpu"]), "c")
    assert (of_wckey.wckey, of_wckey.user, of_wckey.seconds) == ("w", "bert", 20)


def test_a_clusters_hours_are_allocated_down_planned_or_idle(database: Database) -> None:
    controller = Feeding(database)
    controller.take(
        ClusterRecord(start_time=NOON, tres={"cpu": 10}), job(1, NOON, NOON + 1800), job(2, eligible_time=NOON + 1800, requested={"cpu": 2}),
        NodeEventRecord(node=NodeName("cn02"), start_time=NOON + 2700, end_time=NOON + HOUR, state="DOWN", tres={"cpu": 4}),
        NodeEventRecord(node=NodeName("cn03"), start_time=NOON, end_time=NOON + 900, state="MAINT", tres={"cpu": 1}))
    controller.roll_up(NOON + HOUR)
    (row,) = database.usage_of_clusters(UsageFilter(since=NOON, until=NOON + HOUR, tres=["cpu"]), "c")
    assert (row.total, row.allocated, row.down, row.planned_down, row.planned) == (36_000, 7_200, 3_600, 900, 3_600)
    assert row.idle == 36_000 - 7_200 - 3_600 - 900 - 3_600


def test_a_cluster_that_grows_is_counted_with_what_it_had_when(database: Database) -> None:
    controller = Feeding(database)
    controller.take(ClusterRecord(start_time=NOON, tres={"cpu": 10}), ClusterRecord(start_time=NOON + 1800, tres={"cpu": 20}))
    controller.roll_up(NOON + 2 * HOUR)
    assert [row.total for row in database.usage_of_clusters(UsageFilter(since=NOON, until=NOON + HOUR), "c")] == [54_000]
    assert [row.total for row in database.usage_of_clusters(UsageFilter(since=NOON + HOUR, until=NOON + 2 * HOUR), "c")] == [72_000]


def test_what_comes_late_is_summed_up_again_with_its_day_and_month(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1, NOON, NOON + HOUR))
    controller.roll_up(NOON + 60 * 86_400)
    month = {"since": NOON - 40 * 86_400, "until": NOON + 60 * 86_400}
    assert seconds(database, **month) == {("physics", "anna"): 4 * HOUR}
    controller.take(job(2, NOON + 100, NOON + 200), job(1, NOON, NOON + 2 * HOUR))
    assert seconds(database, **month) == {("physics", "anna"): 4 * HOUR}
    controller.roll_up(NOON + 60 * 86_400)
    assert seconds(database, **month) == {("physics", "anna"): 4 * (2 * HOUR + 100)}
    with database.engine.connect() as connection:
        columns = schema.association_usage.c
        assert connection.execute(sa.select(columns.period, sa.func.sum(columns.seconds)).where(columns.tres == "cpu").group_by(columns.period).order_by(
            columns.period)).all() == [(period, 4 * (2 * HOUR + 100)) for period in ("day", "hour", "month")]


def test_days_are_those_of_the_clusters_time_zone_also_when_the_clock_is_put_back(database: Database) -> None:
    # 29 October 2023 has 25 hours in Berlin: it begins at 22:00 UTC the day before.
    begin = 1_698_530_400
    controller = Feeding(database, zone="Europe/Berlin")
    controller.take(ClusterRecord(start_time=begin - 86_400, tres={"cpu": 1}), job(1, begin - HOUR, begin + 30 * HOUR, allocated={"cpu": 1}))
    controller.roll_up(begin + 70 * HOUR)
    with database.engine.connect() as connection:
        columns = schema.association_usage.c
        days = connection.execute(sa.select(columns.start, columns.seconds).where(columns.period == "day").order_by(columns.start)).all()
    assert days == [(begin - 86_400, HOUR), (begin, 25 * HOUR), (begin + 25 * HOUR, 5 * HOUR)]
    assert seconds(database, begin, begin + 25 * HOUR) == {("physics", "anna"): 25 * HOUR}


def test_hours_of_a_zone_between_the_hours_begin_on_its_own_clock(database: Database) -> None:
    controller = Feeding(database, zone="Asia/Kolkata")
    controller.take(job(1, NOON, NOON + HOUR, allocated={"cpu": 1}))
    controller.roll_up(NOON + 3 * HOUR)
    with database.engine.connect() as connection:
        columns = schema.association_usage.c
        assert connection.execute(sa.select(columns.start, columns.seconds).where(columns.period == "hour").order_by(columns.start)).all() == [
            (NOON - 1800, 1800), (NOON + 1800, 1800)]


def test_a_roll_up_that_was_stopped_goes_on_where_it_was(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1, NOON, NOON + 40 * HOUR))
    (cluster,) = database.clusters()
    next(database.roll_up(cluster, NOON + 50 * HOUR))
    again = Database(database.storage)
    rest = [rolled.hours for rolled in again.roll_up(cluster, NOON + 50 * HOUR)]
    again.close()
    assert sum(rest) < 50 and seconds(database, NOON, NOON + 50 * HOUR) == {("physics", "anna"): 4 * 40 * HOUR}


@pytest.mark.parametrize("seed", range(3))
def test_sums_equal_the_sums_over_jobs_whatever_comes_when(database: Database, seed: int) -> None:
    rolls = random.Random(seed)
    controller = Feeding(database, zone="America/St_Johns")
    controller.take(ClusterRecord(start_time=NOON - 86_400, tres={"cpu": 1000}))
    last: dict[int, JobRecord] = {}
    for number in range(1, 41):
        submit = NOON + rolls.randrange(0, 80 * HOUR)
        start = submit + rolls.choice((0, 10, 4000))
        end = start + rolls.choice((1, 59, 3600, 7777, 30 * HOUR))
        user = rolls.choice(("anna", "bert"))
        last[number] = job(number, start, end, submit_time=submit, eligible_time=submit, user=user, allocated={"cpu": rolls.randrange(1, 9)})
    messages: list[JobRecord] = []
    for record in last.values():
        waiting = msgspec.structs.replace(record, start_time=0.0, end_time=0.0, state=JobState.PENDING, allocated={})
        running = msgspec.structs.replace(record, end_time=0.0, state=JobState.RUNNING)
        messages += [each for each in (waiting, running) if rolls.random() < 0.8] + [record]
    places = {id(message): rolls.random() for message in messages}
    ordered = sorted(messages, key=lambda message: (places[id(last[message.id])], messages.index(message)))
    while ordered:
        count = rolls.randrange(1, 20)
        controller.take(*ordered[:count])
        ordered = ordered[count:]
        if rolls.random() < 0.5:
            controller.roll_up(NOON + rolls.randrange(0, 120 * HOUR))
    controller.roll_up(NOON + 150 * HOUR)
    expected: defaultdict[tuple[str, str], int] = defaultdict(int)
    for record in last.values():
        expected[(record.account, record.user)] += record.allocated["cpu"] * int(record.end_time - record.start_time)
    assert seconds(database, NOON - 86_400, NOON + 150 * HOUR) == dict(expected), f"seed {seed}"


# --- purge, archive, runaway jobs -------------------------------------------------------------------------------------


def test_what_is_purged_can_be_archived_and_loaded_again(database: Database, tmp_path: Path) -> None:
    controller = Feeding(database)
    digest = Digest("a" * 64)
    controller.take(
        PayloadRecord(digest=digest, what="script", content=b"x"), job(1, NOON, NOON + 60, script=digest, comment="kept"),
        StepRecord(job=JobId(1), step=StepId(0), start_time=NOON, end_time=NOON + 60), job(2, NOON), job(3, NOON, NOON + 9 * HOUR))
    controller.roll_up(NOON + HOUR)
    before = list(database.jobs(JobFilter(), "c"))
    purge = database.purge(str(tmp_path))
    assert sum(purge.run("step", NOON + HOUR, archive=True)) == 1 and sum(purge.run("job", NOON + HOUR, archive=True)) == 1
    assert found(database) == [(2, 0), (3, 0)]
    for path in sorted(tmp_path.glob("*.jsonl")):
        for _ in range(2):
            assert purge.load(str(path)) == 1
    after = list(database.jobs(JobFilter(), "c"))
    assert [(row.job, row.steps) for row in after] == [(row.job, row.steps) for row in before]


def test_usage_of_purged_jobs_stays_as_it_was_summed_up(database: Database, tmp_path: Path) -> None:
    controller = Feeding(database)
    controller.take(job(1, NOON, NOON + 60))
    assert sum(database.purge().run("job", NOON + HOUR, archive=False)) == 0, "what is not summed up yet may not be purged"
    controller.roll_up(NOON + 2 * HOUR)
    assert sum(database.purge().run("job", NOON + HOUR, archive=False)) > 0
    controller.take(job(2, NOON + 70, NOON + 80))
    controller.roll_up(NOON + 2 * HOUR)
    assert seconds(database, NOON, NOON + 2 * HOUR) == {("physics", "anna"): 240}


def test_a_script_goes_with_the_last_job_that_had_it(database: Database) -> None:
    controller = Feeding(database)
    digest = Digest("a" * 64)
    database.clock = lambda: float(NOON)
    controller.take(PayloadRecord(digest=digest, what="script", content=b"x"), job(1, NOON, NOON + 60, script=digest), job(2, NOON, script=digest))
    controller.roll_up(NOON + 2 * HOUR)
    sum(database.purge().run("job", NOON + HOUR, archive=False))
    assert database.payload(digest) == b"x"
    controller.take(job(2, NOON, NOON + 70, script=digest))
    sum(database.purge().run("job", NOON + HOUR, archive=False))
    with pytest.raises(NotFound):
        database.payload(digest)


def test_purging_goes_in_small_transactions(database: Database) -> None:
    controller = Feeding(database)
    controller.take(*(job(number, NOON, NOON + 60) for number in range(1, 11)))
    controller.roll_up(NOON + 2 * HOUR)
    purging = database.purge().run("job", NOON + HOUR, archive=False, at_once=4)
    assert next(purging) == 4 and len(found(database)) == 6
    assert list(purging) == [4, 2] and found(database) == []


def test_usage_is_purged_and_archived_too(database: Database, tmp_path: Path) -> None:
    controller = Feeding(database)
    controller.take(ClusterRecord(start_time=NOON, tres={"cpu": 8}), job(1, NOON, NOON + 60))
    controller.roll_up(NOON + 2 * HOUR)
    before = seconds(database, NOON, NOON + 2 * HOUR)
    purge = database.purge(str(tmp_path))
    for kind in ("usage", "wckey_usage", "cluster_usage"):
        sum(purge.run(kind, NOON + HOUR, archive=True))
    assert seconds(database, NOON, NOON + 2 * HOUR) == {}
    for path in tmp_path.glob("*.jsonl"):
        purge.load(str(path))
    assert seconds(database, NOON, NOON + 2 * HOUR) == before != {}


def test_what_is_no_archive_is_refused_with_a_sentence(database: Database, tmp_path: Path) -> None:
    cases: Sequence[tuple[str, str]] = (
        ("", "is no archive"), ("nonsense\n", "is no JSON"), ("[1]\n", "is no row"), ('{"slurm_py_archive": 1, "kind": "job", "cluster": "x"}\n', "not known here"))
    for text, sentence in cases:
        path = tmp_path / "file"
        path.write_text(text)
        with pytest.raises(InvalidRequest, match=sentence):
            database.purge().load(str(path))
    with pytest.raises(InvalidRequest, match="cannot read"):
        database.purge().load(str(tmp_path / "none"))


def reserved(since: float, end: float, cpus: int = 8, **more: object) -> ReservationRecord:
    return ReservationRecord(id=1, start_time=NOON, since=since, end_time=end, name="night", nodes="cn[01-02]", tres={"cpu": cpus}, **more)  # type: ignore[arg-type]


def shown(database: Database, **wanted: object) -> list[tuple[float, float, dict[str, int], dict[str, int]]]:
    return [(one.start, one.end, one.reserved, one.allocated) for one in database.reservations(ReservationFilter(**wanted), "c")]  # type: ignore[arg-type]


def test_a_reservation_holds_what_it_was_at_each_time_and_its_jobs_are_summed_up(database: Database) -> None:
    controller = Feeding(database)
    controller.take(reserved(NOON, NOON + 2 * HOUR), reserved(NOON + HOUR, NOON + 3 * HOUR, cpus=4), reserved(NOON + 2 * HOUR, NOON + 2 * HOUR))
    controller.take(
        job(1, NOON + 60, NOON + HOUR, reservation="night", reservation_id=1), job(2, NOON, NOON + HOUR, reservation="night", reservation_id=7),
        SuspensionRecord(job=JobId(1), start_time=NOON + 120, end_time=NOON + 180))
    held = {"cpu": 8 * HOUR + 4 * HOUR}
    (one,) = database.reservations(ReservationFilter(), "c")
    assert (one.start, one.end, one.seconds, one.reserved) == (NOON, NOON + 2 * HOUR, 2 * HOUR, held)
    assert one.allocated == {"cpu": 4 * (HOUR - 120), "mem": 100 * (HOUR - 120), "node": HOUR - 120} and one.tres == {"cpu": 4}
    for wanted, found in (
            ({"names": ["night"]}, 1), ({"names": ["day"]}, 0), ({"ids": [1]}, 1), ({"ids": [2]}, 0), ({"nodes": [NodeName("cn02")]}, 1),
            ({"nodes": [NodeName("cn03")]}, 0), ({"since": NOON + 2 * HOUR}, 0), ({"since": NOON + HOUR + 1.0}, 1), ({"until": NOON}, 0),
            ({"until": NOON + 1.0}, 1), ({"clusters": ["d"]}, 0)):
        assert [each[2] for each in shown(database, **wanted)] == [held] * found, wanted  # type: ignore[arg-type]


def test_a_reservation_that_never_began_leaves_nothing_and_one_that_is_moved_stands_once(database: Database) -> None:
    controller = Feeding(database)
    controller.take(reserved(NOON, NOON + HOUR), reserved(NOON, NOON))
    assert shown(database) == []
    controller.take(reserved(NOON, NOON + HOUR), reserved(NOON, NOON + 2 * HOUR))
    assert [each[:2] for each in shown(database)] == [(NOON, NOON + 2 * HOUR)]


def test_old_reservations_are_archived_purged_and_loaded_again(database: Database, tmp_path: Path) -> None:
    controller = Feeding(database)
    controller.take(reserved(NOON, NOON + HOUR))
    before = shown(database)
    assert sum(database.purge(str(tmp_path)).run("resv", NOON + HOUR + 1, archive=True)) == 1 and shown(database) == []
    (file,) = tmp_path.glob("c_resv_archive_*")
    assert [database.purge().load(str(file)) for _ in range(2)] == [1, 1]
    assert shown(database) == before


def test_a_controller_that_comes_without_the_earlier_state_hears_how_many_jobs_of_that_have_not_ended(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1, NOON), job(2, NOON), job(3, NOON, NOON + 60))
    registration = Registration("c", "another journal", "UTC", "head", 6817, 0, "26.05", "", first=1)
    found = database.register(registration)
    assert (found.through, found.highest_job, found.going_on) == (0, 3, 2)
    database.end_runaways("c", [(1, 0), (2, 0)])
    assert database.register(registration).going_on == 0


def test_runaway_jobs_end_and_their_hours_are_summed_up_again(database: Database) -> None:
    controller = Feeding(database)
    controller.take(job(1, NOON), job(2, NOON), job(3, NOON, NOON + 60))
    controller.roll_up(NOON + 2 * HOUR)
    assert database.end_runaways("c", [(1, 0), (3, 0), (99, 0)]) == 1
    controller.roll_up(NOON + 2 * HOUR)
    rows = {row.job.id: row.job for row in database.jobs(JobFilter(), "c")}
    assert (rows[JobId(1)].state, rows[JobId(1)].end_time) == (JobState.COMPLETED, NOON)
    assert seconds(database, NOON, NOON + 2 * HOUR) == {("physics", "anna"): 4 * (2 * HOUR + 60)}
