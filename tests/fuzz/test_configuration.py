"""Whatever a configuration file holds: a configuration or a ConfigError that names the line, within a bound of time, also for circles and giants."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.config import reader, schema
from slurm.config.config import parse
from slurm.model.errors import ConfigError
from tests.fuzz.seeds import SCALE, TODAY, fuzzed
from tests.fuzz.surprises import nothing_stays

WithSeed = Callable[[Callable[[], None]], None]
HEAD = "SlurmctldHost=h\nGresTypes=gpu\nNodeName=a1 Gres=gpu:1\nPartitionName=p Nodes=ALL\n"
KEYS = sorted({row.name for name in ("slurm.conf", "NodeName", "PartitionName", "NodeSet", "DownNodes") for row in schema.section(name)})
GRES_KEYS = sorted({row.name for row in schema.section("gres.conf")})
VALUES = st.one_of(
    st.sampled_from([
        "", "ALL", "DEFAULT", "n[1-3]", "n[3-", "n[0-99999]", "n[1-99999]x[1-99999]", "YES", "-1", "1_0", "\u0663", "\u00b2", "UNLIMITED", "gpu:2", "gpu:a:1,x", "0-3", "0-999999999", "3-0",
        "7-00:00", "2G", '"a b"', '"', "\\", "9" * 30, "9" * 5000, "1e400", "nan", "a=b,c=d", "a,,b", "/dev/nvidia[0-3]", "/dev/x[0-999999]", "\x1b[2J", "%n%h%%", "%" * 50]),
    st.text(max_size=8))
SECONDS = 1.0


def lines_of(keys: list[str]) -> st.SearchStrategy[str]:
    """Lines of KEY=VALUE, and lines that are none."""
    pairs = st.tuples(st.sampled_from(keys), VALUES).map("=".join)
    return st.lists(st.one_of(st.lists(pairs, min_size=1, max_size=4).map(" ".join), st.text(max_size=20), st.sampled_from([
        "Include x", "Include", "Include=y", "include \"", "#", "\\", "=", "a=\\", "NodeName", "\0", "\x1b[2J"])), max_size=6).map("\n".join)


def read(text: str, *, gres: str | None = None, opener: reader.Opener | None = None) -> bool:
    """Whether a text is a configuration; a ConfigError tells it in lines that can be read."""
    began = time.thread_time()
    try:
        found = parse(text, gres=gres, opener=opener)
    except ConfigError as error:
        told = error.lines()
        assert told and all(told), told
        assert sum(map(len, told)) < 300_000, f"{sum(map(len, told)):,} characters are told of it"
        return False
    finally:
        took = time.thread_time() - began
        assert took < SECONDS, f"{took:.1f} s for {len(text):,} characters: {text[:80]!r}"
    assert all(found.devices(node.name) is not None for node in found.nodes)
    return True


def test_files_of_every_kind(with_seed: WithSeed) -> None:
    @fuzzed(40)
    @given(lines_of(KEYS), lines_of(GRES_KEYS))
    def attack(text: str, gres: str) -> None:
        read(HEAD + text, gres=gres)

    with nothing_stays():
        with_seed(attack)


@pytest.mark.parametrize("kind", [name for name in schema.SECTIONS if name.endswith(".conf")])
def test_texts_of_every_file(kind: str, with_seed: WithSeed) -> None:
    keys = [row.name for row in schema.section(kind)]

    @fuzzed(20)
    @given(lines_of(keys) | st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape")))
    def attack(text: str) -> None:
        problems: list[reader.Problem] = []
        reader.read(text, kind, kind, problems, lambda name: (name, text))
        if problems:
            assert reader.error_of(problems).lines()

    with_seed(attack)


@pytest.mark.parametrize("text", [
    "Include a\n", "Include a\nInclude a\n", "Include a\n" * 50, "Include a\nInclude b\nInclude c\n"], ids=["itself", "twice", "fifty times", "three others"])
def test_files_that_include_each_other(text: str) -> None:
    assert not read(HEAD + text, opener=lambda name: (name, text))


def test_files_that_include_many_that_include_many() -> None:
    def deeper(name: str) -> tuple[str, str]:
        return name, f"Include {int(name) + 1}\n" * 3 if int(name) < 13 else "\n"

    assert not read(HEAD + "Include 1\n", opener=deeper)


PIECES = [
    "a=1 ", "NodeName=x ", "bogus=1 ", "DebugFlags=x ", "=", "= ", '"', "a= ", "\\\n", "#", "a=\\#", "\\#", "x", " ", "\t", "\n", "NodeName=n[1-2],", "[", "SlurmctldHost=h\n", "bogus=1\n", "a=\\\n",
    "NodeName=DEFAULT\n", "PartitionName=p\n", "Include \n", "\x1b", "\0", "\u0661", "Nodes= x "]


@pytest.mark.parametrize("start", ["", "NodeName=b", "PartitionName=q Nodes=", "DebugFlags=", "bogus="])
def test_giant_lines_and_files(start: str) -> None:
    for piece in PIECES if SCALE > 1 else random.Random(f"{TODAY} {start}").sample(PIECES, 8):
        read(HEAD + start + piece * (100_000 // len(piece)))
