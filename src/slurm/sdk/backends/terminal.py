"""This process's terminal, handed to a command where a backend's commands run: a shell in a job, or on a login node."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from slurm.sdk.backends.backend import Backend
from slurm.sdk.backends.local import LocalBackend
from slurm.sdk.backends.program import ours
from slurm.sdk.errors import BackendCommandError, BackendError

KEEPALIVE_SECONDS, KEEPALIVES = 15, 3


def attach(backend: Backend, words: Sequence[str]) -> int:
    """Run a command with this terminal, over ssh the login shell when there are no words; its exit status.

    On this machine it takes the place of this process.
    """
    if backend.name == "ssh":
        import asyncio

        with _raw():
            return asyncio.run(_session(backend, words))
    argv = ours(words) if isinstance(backend, LocalBackend) else list(words)
    sys.stdout.flush()
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError as error:
        raise BackendCommandError(f"{words[0]} is not on PATH") from error


async def _session(backend: Any, words: Sequence[str]) -> int:
    """A pseudo terminal over a connection of its own: the kept one may have to be opened anew at any time, which a shell would not
    survive."""
    import asyncio
    import signal

    command = await asyncio.to_thread(backend.typed, words) if words else None
    async with await backend.connection.login.open(keepalive=KEEPALIVE_SECONDS, keepalives=KEEPALIVES) as connection:
        process = await connection.create_process(
            command, term_type=os.environ.get("TERM", "xterm"), term_size=tuple(os.get_terminal_size()), encoding=None,
            stdin=os.dup(0), stdout=os.dup(1), stderr=os.dup(2))
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, lambda: process.change_terminal_size(*os.get_terminal_size()))
        done = await process.wait(check=False)
    if done.exit_signal:
        return 128 + int(getattr(signal, f"SIG{done.exit_signal[0]}", 0))
    if done.exit_status is None:
        raise BackendError(f"{backend.connection.login}: the connection was cut")
    return int(done.exit_status)


@contextmanager
def _raw() -> Iterator[None]:
    """Every key goes to the other side meanwhile, ctrl-C too. Afterwards the terminal is as it was, also for whoever shares it."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    blocking = [os.get_blocking(descriptor) for descriptor in (0, 1, 2)]
    tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead stays
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        for descriptor, value in enumerate(blocking):
            os.set_blocking(descriptor, value)
