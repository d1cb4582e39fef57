"""What is written stays what it meant, whatever becomes of memory's structs and their defaults."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from slurm.core import changes
from slurm.core import events as e
from slurm.journal import codec, rows, shape, shapes
from slurm.journal.codec import Codec, Reader
from slurm.journal.differences import DIFFERENCES, Difference
from slurm.journal.upgrades import UPGRADES, added, dropped, mapped, renamed
from slurm.model.ids import JobId
from slurm.model.job import DependencyClause
from slurm.testing import builders as b

MEMORY = shape.shapes_of([*rows.STRUCTS.values(), *get_args(e.AnyEvent)])


class Part(msgspec.Struct, omit_defaults=True):
    """A record within another."""

    cores: list[int] = []


class Thing(msgspec.Struct, omit_defaults=True):
    """A record as memory has it now."""

    name: str
    parts: dict[int, Part] = msgspec.field(default_factory=dict)
    limit: int = 10
    fresh: str = "new"


NOW = shape.shapes_of([Thing])
FIRST = shape.parse('Thing title:str parts:{int:Part}={} limit:int=5 gone:bool=true  Part cores:int=0')
UPGRADE_1 = {1: {
    "Thing": [renamed("title", "name"), added("fresh", "old"), dropped("gone")],
    "Part": [mapped("cores", lambda count: list(range(count)))]}}


def first(**fields: object) -> bytes:
    """What version 1 wrote."""
    return msgspec.msgpack.encode(fields)


@pytest.mark.parametrize("struct", sorted(MEMORY))
def test_memory_is_written_as_the_journal_says_or_its_difference_is_known(struct: str) -> None:
    """Where this fails, docs/adding.md says what is to be done."""
    assert struct in DIFFERENCES or MEMORY[struct] == shapes.SHAPES.get(struct)


def test_the_journal_has_no_shape_that_nobody_has() -> None:
    assert sorted(shapes.SHAPES) == sorted(MEMORY)


def test_there_is_an_upgrade_from_each_version() -> None:
    assert sorted(UPGRADES) == list(range(1, shapes.VERSION))


def test_shapes_survive_their_text() -> None:
    assert shape.parse(shape.show(shapes.SHAPES)) == shapes.SHAPES
    assert max(len(line) for line in shapes.TEXT.splitlines()) < 140


def test_an_old_record_means_what_it_meant_whatever_the_defaults_are_now() -> None:
    reading = Codec(2, NOW, {}, UPGRADE_1)
    body = first(title="a", parts={3: {"cores": 2}, 4: {}})
    assert reading.decode(Thing, 1, body, {1: FIRST}) == Thing("a", {3: Part([0, 1]), 4: Part([])}, limit=5, fresh="old")


def test_a_field_that_no_upgrade_speaks_of_stops_the_reading() -> None:
    for upgrades, told in (({1: {"Thing": [renamed("title", "name"), added("fresh", "old")]}}, "Thing: gone"),
                           ({1: {"Thing": [renamed("title", "name"), dropped("gone")]}}, "Thing: fresh"), ({}, "Thing: fresh, gone, name, title")):
        with pytest.raises(msgspec.ValidationError, match=f"no upgrade from version 1 says what becomes of {told}"):
            Codec(2, NOW, {}, upgrades).decode(Thing, 1, first(title="a"), {1: FIRST})


def test_a_record_that_lacks_what_it_needs_or_is_none_at_all_is_told() -> None:
    reading = Codec(2, NOW, {}, UPGRADE_1)
    with pytest.raises(msgspec.ValidationError, match="Thing has no title"):
        reading.decode(Thing, 1, first(limit=3), {1: FIRST})
    for body in (b"\x93\x01\x02\x03", b"\xc1", first(title="a", parts=[7])):
        with pytest.raises(msgspec.MsgspecError):
            reading.decode(Thing, 1, body, {1: FIRST})
    with pytest.raises(msgspec.ValidationError, match="version 7, whose records are not known"):
        reading.decode(Thing, 7, first(), {1: FIRST})


def test_upgrades_follow_one_another() -> None:
    upgrades = {**UPGRADE_1, 2: {"Thing": [mapped("limit", lambda limit: limit * 60)]}}
    assert Codec(3, NOW, {}, upgrades).decode(Thing, 1, first(title="a"), {1: FIRST}).limit == 300


def test_a_struct_that_looks_otherwise_in_memory_is_written_as_the_journal_has_it() -> None:
    kept = shape.parse('Thing title:str parts:{int:Part}={} limit:int=5 fresh:str="x"  Part cores:[int]=[]')
    codec_ = Codec(1, kept, {"Thing": Difference([renamed("name", "title")], [renamed("title", "name")])}, {})
    thing = Thing("a", {1: Part([4])}, limit=10)
    body = codec_.encode(thing)
    assert msgspec.msgpack.decode(body, strict=False) == {"title": "a", "parts": {1: {"cores": [4]}}, "limit": 10, "fresh": "new"}
    assert codec_.decode(Thing, 1, body, {1: kept}) == thing
    assert codec_.decode(Thing, 1, first(title="b"), {1: kept}).limit == 5


def test_what_an_update_changed_is_upgraded_with_the_record_that_it_changes() -> None:
    updated = e.JobUpdated(at=b.T0, job=JobId(3), changes=changes.encode({
        "time_limit": 60, "clauses": [DependencyClause(kind="afterok", job=JobId(1))], "dependency_any": True}))
    body = codec.encode(updated)
    upgrades = {1: {"JobRequest": [mapped("time_limit", lambda seconds: seconds * 2), added("name", "x")], "DependencyClause": [mapped("job", lambda job: job + 1)]}}
    found = Codec(2, shapes.SHAPES, {}, upgrades).decode(e.JobUpdated, 1, body, {1: shapes.SHAPES})
    values = changes.decode(found.changes)
    assert values == {"time_limit": 120, "clauses": [DependencyClause(kind="afterok", job=JobId(2))], "dependency_any": True}


def test_every_kind_of_event_is_read_by_its_name() -> None:
    c = b.lab_cluster()
    event = e.Submitted(at=b.T0, job=b.submit(c, array="1-3", dependency="singleton"))
    assert Reader({}).event(shapes.VERSION, "Submitted", codec.encode(event)) == event
    assert len(codec.EVENTS) == len(get_args(e.AnyEvent))
    with pytest.raises(msgspec.ValidationError, match="there is no event Teleported"):
        Reader({}).event(shapes.VERSION, "Teleported", b"")
