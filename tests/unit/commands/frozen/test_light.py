"""The light modules do what the real ones do, for what the commands use, and hand everything else on."""

from __future__ import annotations

import contextlib
import json
import signal
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.commands.frozen.light import contextlib as light_contextlib
from slurm.commands.frozen.light import json as light_json
from slurm.commands.frozen.light import re as light_re
from slurm.commands.frozen.light import signal as light_signal
from slurm.commands.frozen.light import socket as light_socket

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_json_is_written_and_read_as_by_the_real_module(value: object) -> None:
    text = light_json.dumps(value, separators=(",", ":"))
    assert text == json.dumps(value, separators=(",", ":"))
    assert light_json.loads(text) == light_json.loads(text.encode()) == value


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "1 2", '{"a":1}x', "nul", '"\n"', b"\xff", b"\xef\xbb\xbf{}", "[" * 100_000])
def test_what_is_no_json_is_refused_in_the_same_words(text: str | bytes) -> None:
    raised = []
    for module in (json, light_json):
        try:
            raised.append((module.loads(text),))
        except (ValueError, RecursionError) as error:
            raised.append((type(error), str(error)))
    assert raised[0] == raised[1]


@pytest.mark.parametrize("text", [" \n[1, -Infinity]\t", '{"a": {"b": 1e3}}', b'"\xc3\xa9"', "{}".encode("utf-16"), "0"])
def test_json_texts_are_read_as_by_the_real_module(text: str | bytes) -> None:
    assert light_json.loads(text) == json.loads(text)


def test_what_has_no_json_is_refused_and_options_are_obeyed() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        light_json.dumps({"a": {1}})
    with pytest.raises(ValueError, match="Circular"):
        light_json.dumps((loop := [], loop.append(loop))[0])  # type: ignore[func-returns-value]
    assert light_json.dumps({"b": 1, "a": [2]}, sort_keys=True, indent=1) == json.dumps({"b": 1, "a": [2]}, sort_keys=True, indent=1)
    assert light_json.JSONDecodeError is json.JSONDecodeError


@pytest.mark.parametrize("module", [contextlib, light_contextlib])
def test_contexts_of_generators(module: object) -> None:
    seen: list[str] = []

    @module.contextmanager  # type: ignore[attr-defined]
    def context(name: str, *, swallow: bool = False):  # type: ignore[no-untyped-def]
        seen.append(f"in {name}")
        try:
            yield name.upper()
        except KeyError:
            if not swallow:
                raise
        finally:
            seen.append(f"out {name}")

    with context("a") as got:
        assert got == "A"
    with pytest.raises(KeyError), context("b"):
        raise KeyError
    with context("c", swallow=True):
        raise KeyError
    with pytest.raises(StopIteration), context("d"):
        raise StopIteration
    with module.nullcontext(3) as three:  # type: ignore[attr-defined]
        assert three == 3
    assert seen == [f"{way} {name}" for name in "abcd" for way in ("in", "out")]


def test_names_that_a_light_module_lacks_are_the_real_ones() -> None:
    assert light_socket.create_connection is socket.create_connection
    assert light_signal.Signals is signal.Signals and light_signal.SIGTERM == signal.SIGTERM
    assert light_re.escape("a.b") == r"a\.b"
    assert light_contextlib.suppress is contextlib.suppress
    for module in (light_socket, light_signal, light_re, light_contextlib, light_json):
        with pytest.raises(AttributeError):
            module.no_such_name  # noqa: B018
        assert not hasattr(module, "__path__"), "the import system would load the real module for it"


def test_a_unix_socket_closes_itself() -> None:
    with light_socket.socket(light_socket.AF_UNIX, light_socket.SOCK_STREAM) as stream:
        assert stream.fileno() >= 0
    assert stream.fileno() == -1
