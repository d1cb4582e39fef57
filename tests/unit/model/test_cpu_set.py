"""Sets of CPUs and devices: set arithmetic for any size, and how they lie in bytes."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.model import bounds, msgpack
from slurm.model.bounds import Whole
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.errors import InvalidRequest
from slurm.model.settings import Settings

NUMBERS = st.frozensets(st.one_of(st.integers(0, 70), st.sampled_from([63, 64, 65, 255, 256, 4095, 4096])))


class Held(msgspec.Struct):
    """A record as the journal has them."""

    cpus: CpuSet = NOTHING
    gres: dict[str, CpuSet] = {}


class Before(msgspec.Struct):
    """The same as it was once."""

    cpus: int
    gres: dict[str, int] = {}


class Bounded(msgspec.Struct):
    """A message."""

    cpus: Annotated[CpuSet, Whole(0, 65_535)] = NOTHING


@given(NUMBERS, NUMBERS)
def test_it_calculates_as_a_set_of_numbers_does(one: frozenset[int], other: frozenset[int]) -> None:
    a, b = CpuSet.of(one), CpuSet.of(other)
    assert list(a) == sorted(one) and len(a) == len(one) and bool(a) == bool(one)
    assert list(a | b) == sorted(one | other)
    assert list(a & b) == sorted(one & other)
    assert list(a - b) == sorted(one - other)
    assert a.isdisjoint(b) == one.isdisjoint(other)
    assert (a <= b) == (one <= other)
    assert (a == b) == (one == other) and (a != b or hash(a) == hash(b))
    assert a.end == max(one, default=-1) + 1


@given(NUMBERS, st.integers(-2, 80))
def test_its_lowest_are_those_that_come_first_in_order(numbers: frozenset[int], count: int) -> None:
    assert list(CpuSet.of(numbers).lowest(count)) == sorted(numbers)[: max(0, count)]


@pytest.mark.parametrize("size", [1, 64, 65, 256, 4096, 65_536])
def test_a_run_has_so_many_numbers_from_the_first_on(size: int) -> None:
    assert list(CpuSet.run(size, 3)) == list(range(3, size + 3))
    assert CpuSet.run(size).end == size


@given(NUMBERS, NUMBERS)
def test_it_comes_back_from_its_bytes(cpus: frozenset[int], devices: frozenset[int]) -> None:
    held = Held(CpuSet.of(cpus), {"gpu": CpuSet.of(devices)})
    assert msgpack.decode(msgpack.encode(held), type=Held) == held


@pytest.mark.parametrize(("numbers", "data"), [
    ([], b""), ([0], b"\x01"), ([7], b"\x80"), ([8], b"\x00\x01"), ([64], b"\0" * 8 + b"\x01"), (range(256), b"\xff" * 32)])
def test_its_bytes_are_those_that_journals_hold(numbers: list[int], data: bytes) -> None:
    assert CpuSet.of(numbers).to_bytes() == data
    assert CpuSet.from_bytes(data) == CpuSet.of(numbers)


@pytest.mark.parametrize("bits", [0, 1, 127, 128, 2**32, 2**63, 2**64 - 1])
def test_numbers_of_older_journals_are_read(bits: int) -> None:
    found = msgpack.decode(msgspec.msgpack.encode(Before(bits, {"gpu": bits})), type=Held)
    assert found == Held(CpuSet(bits), {"gpu": CpuSet(bits)})


@pytest.mark.parametrize("value", [-1, "0-3", None, 1.5, True, [1]])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match="a set of CPUs or devices is bytes"):
        msgpack.decode(msgspec.msgpack.encode({"cpus": value}), type=Held)


def test_what_has_no_form_outside_is_an_error_and_not_left_out() -> None:
    with pytest.raises(TypeError, match="Thread has no form outside"):
        msgpack.encode({"a": type("Thread", (), {})()})


def test_a_set_in_a_message_is_bounded_by_its_highest_number() -> None:
    bounds.check(Bounded(CpuSet.of([0, 65_535])), Settings())
    with pytest.raises(InvalidRequest) as refused:
        bounds.check(Bounded(CpuSet.of([0, 65_536])), Settings())
    assert list(refused.value.hints) == ["cpus: a whole number from 0 to 65535; 65536 was sent"]
