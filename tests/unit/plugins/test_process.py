"""A plug-in's process: whatever the plug-in does, its caller gets an answer within the deadline and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from slurm.plugins.failures import ABSENT, PluginFailed, PluginRefused
from slurm.plugins.process import PluginProcess
from slurm.plugins.sources import Source

PLUGIN = '''
import os, sys, time
from slurm.plugins import Refused

def double(argument, settings):
    return 2 * argument

def says(argument, settings):
    return settings.word

def pid(argument, settings):
    return os.getpid()

def hangs(argument, settings):
    time.sleep(1000)

def raises(argument, settings):
    raise ValueError("no such colour")

def needs(argument, settings):
    raise ConnectionRefusedError("the service is away")

def refuses(argument, settings):
    raise Refused("not on Fridays")

def garbage(argument, settings):
    for _ in range(argument):
        os.write(1, b"\\xff\\x00garbage" * 100 + b"\\n")
    print("more", flush=True)
    return "still here"

def garbage_on_the_channel(argument, settings):
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                os.write(int(name), b"garbage, no frame at all")
        except OSError:
            pass
    time.sleep(1000)

def unspeakable(argument, settings):
    return object()

def forks_away(argument, settings):
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(argument, "w") as file:
        file.write(str(os.getpid()))
        file.flush()
        time.sleep(1000)

def leaves(argument, settings):
    if not os.fork():
        os.setsid()
        with open(argument, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(1000)
    while not os.path.exists(argument) or not open(argument).read():
        time.sleep(0.01)
    return "done"
'''


def play(folder: Path, scene: Callable[[PluginProcess], Coroutine[Any, Any, None]], seconds: float = 5.0, text: str = PLUGIN, **more: Any) -> None:
    """Call a plug-in with this text."""
    path = folder / "plugin.py"
    path.write_text(text)

    async def main() -> None:
        process = PluginProcess(Source("test/it", file=str(path)), {"word": "hello"}, seconds=seconds, **more)
        try:
            await scene(process)
        finally:
            await process.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def gone(path: Path) -> bool:
    """Whether the process whose number is in this file ends within some seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if path.exists() and path.read_text() and not os.path.exists(f"/proc/{path.read_text()}"):
            return True
        time.sleep(0.01)
    return False


def test_a_function_is_called_with_its_argument_and_the_settings(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        assert await process.call("double", 21) == 42
        assert await process.call("says", None) == "hello"
        assert await process.call("pid", None) == await process.call("pid", None)
        assert await process.call("no_such_function", None) is ABSENT

    play(tmp_path, scene)


def test_one_that_hangs_is_ended_at_the_deadline_and_the_next_call_works(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        await process.start()
        began = time.monotonic()
        with pytest.raises(PluginFailed, match="has not answered within 1 s"):
            await process.call("hangs", None)
        assert time.monotonic() - began < 5
        assert await process.call("double", 1) == 2

    play(tmp_path, scene, seconds=1.0)


def test_one_that_raises_is_told_and_what_is_only_outside_is_told_apart(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        with pytest.raises(PluginFailed, match="test/it: ValueError: no such colour") as raised:
            await process.call("raises", None)
        assert not raised.value.outside
        with pytest.raises(PluginFailed, match="the service is away") as raised:
            await process.call("needs", None)
        assert raised.value.outside
        with pytest.raises(PluginFailed, match="TypeError"):
            await process.call("unspeakable", None)
        assert await process.call("double", 1) == 2

    play(tmp_path, scene)


def test_a_refusal_is_its_words(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        with pytest.raises(PluginRefused, match=r"^not on Fridays$"):
            await process.call("refuses", None)

    play(tmp_path, scene)


def test_one_that_prints_garbage_is_answered_and_the_log_gets_some_lines_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(process: PluginProcess) -> None:
        assert await process.call("garbage", 3000) == "still here"

    play(tmp_path, scene)
    assert "garbage" in caplog.text
    assert len(caplog.records) < 200


def test_garbage_in_place_of_an_answer_ends_its_process_and_the_next_call_works(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        with pytest.raises(PluginFailed, match="no frame"):
            await process.call("garbage_on_the_channel", None)
        assert await process.call("double", 4) == 8

    play(tmp_path, scene)


def test_one_that_forks_away_is_caught_with_all_that_it_left(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        with pytest.raises(PluginFailed, match="ended without an answer"):
            await process.call("forks_away", str(tmp_path / "pid"))
        assert await process.call("double", 4) == 8
        assert await process.call("leaves", str(tmp_path / "left")) == "done"

    play(tmp_path, scene)
    assert gone(tmp_path / "left")
    if (tmp_path / "pid").exists():  # it may have been caught before it wrote its number
        assert gone(tmp_path / "pid") or not (tmp_path / "pid").read_text()


def test_one_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        with pytest.raises(PluginFailed, match=r"it cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"):
            await process.call("double", 1)

    play(tmp_path, scene, text="import nowhere")


def test_one_that_is_not_called_for_a_while_ends_and_comes_back(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        first = await process.call("pid", None)
        until = time.monotonic() + 10
        while os.path.exists(f"/proc/{first}") and time.monotonic() < until:
            await asyncio.sleep(0.02)
        assert not os.path.exists(f"/proc/{first}")
        assert await process.call("pid", None) != first

    play(tmp_path, scene, idle=0.1)


def test_what_went_well_is_known_to_the_process_after_it(tmp_path: Path) -> None:
    async def first(process: PluginProcess) -> None:
        await process.start()
        assert process.reached == ("", 0)
        await process.call("double", 1, journal="J", number=17)
        with pytest.raises(PluginFailed):
            await process.call("raises", 1, journal="J", number=18)

    async def second(process: PluginProcess) -> None:
        await process.start()
        assert process.reached == ("J", 17)

    play(tmp_path, first, progress=str(tmp_path / "told"))
    play(tmp_path, second, progress=str(tmp_path / "told"))


def test_who_waits_no_more_does_not_leave_his_answer_to_the_next(tmp_path: Path) -> None:
    async def scene(process: PluginProcess) -> None:
        await process.start()
        task = asyncio.create_task(process.call("hangs", None))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        assert await process.call("double", 5) == 10

    play(tmp_path, scene)
