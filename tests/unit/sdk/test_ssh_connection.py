"""What is asked of the connection's thread, and what is left when the asker is stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.sdk.backends.ssh_connection import SshConnection
from slurm.sdk.backends.ssh_login import Login
from slurm.sdk.errors import BackendError


@pytest.fixture
def connection(tmp_path: Path) -> SshConnection:
    """One to nowhere."""
    return SshConnection(Login("127.0.0.1", port=1, known_hosts=tmp_path / "known", look_for_keys=False, allow_agent=False, connection_attempts=1))


class Stopped(SshConnection):
    """Control-C comes while the thread is begun."""

    def _running(self) -> asyncio.AbstractEventLoop:
        raise KeyboardInterrupt


@pytest.mark.parametrize("ask", [lambda one: one.run("true"), lambda one: one.read("/x"), lambda one: one.read_many(["/x"]), lambda one: one.grown({"/x": 0}),
                                 lambda one: one.present(["/x"])])
def test_control_c_before_a_question_has_begun_leaves_nothing_behind(connection: SshConnection, ask: Callable[[SshConnection], object]) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt):
            ask(Stopped(connection.login))
        gc.collect()
    assert not [str(one.message) for one in told if "never awaited" in str(one.message)]


def test_what_the_thread_raises_is_raised_where_it_was_asked_for(connection: SshConnection) -> None:
    with pytest.raises(BackendError, match="cannot be reached"):
        connection.run("true")
    connection.close()


def test_control_c_while_waiting_ends_what_the_thread_does(connection: SshConnection) -> None:
    ended = threading.Event()

    async def stopped_meanwhile() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        connection._call(stopped_meanwhile)
    assert ended.wait(20)
    connection.close()
