"""SshConnection: one connection to a login node, opened when it is first needed and again after it was cut; commands and files over it.

Nothing of Slurm here. A password is kept in memory for as long as the connection may have to be opened again, and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast
from uuid import uuid4
from weakref import finalize

import asyncssh
from asyncssh.constants import OPEN_REQUEST_SESSION_FAILED

from slurm.sdk.backends.disk import PIECE as GROWN
from slurm.sdk.backends.disk import begin
from slurm.sdk.backends.program import behind_mark, marked, through
from slurm.sdk.backends.ssh_login import Login
from slurm.sdk.errors import BackendError, BackendTimeout, LoginRefused
from slurm.sdk.following import tracker

T = TypeVar("T")
COMMAND_SECONDS = 60.0
QUIET_SECONDS = 60.0
"""How long a file may take without a byte moving."""
CLOSE_SECONDS = 3.0
STOP_SECONDS = 0.05
"""What is aborted is gone after a few turns of the loop."""
KEEPALIVE_SECONDS, KEEPALIVES = 15, 3
CHANNELS = 8
"""How much goes on at once: OpenSSH allows 10 sessions a connection unless told otherwise."""
PIECE = 4 << 20
TOGETHER = 256 << 20
"""So many bytes of several files are fetched ahead of being read."""
IN_MEMORY = 16 << 20
"""Larger files are kept on this machine's disk while they are read."""
_CUT = (asyncssh.ConnectionLost, asyncssh.ChannelOpenError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, ConnectionError)
_ABSENT = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class Answer(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class SshConnection:
    """Blocking face of a connection that lives in a thread of its own. Everything that is asked of it may be asked twice when it is cut."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.after_fork()
        tracker.remember(self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._opening = asyncio.Lock()
        self._channels = asyncio.Semaphore(CHANNELS)
        self._open: asyncssh.SSHClientConnection | None = None
        self._sftp: asyncssh.SFTPClient | None = None
        self._held: list[asyncssh.SSHClientConnection] = []

    def after_fork(self) -> None:
        """The loop's thread lives on in the parent only; `_running` begins another."""
        self._guard = threading.Lock()

    def run(self, command: str, seconds: float = COMMAND_SECONDS, name: str = "") -> Answer:
        """Run a shell command line to its end; BackendTimeout when it takes longer than `seconds`, where it is called `name`."""
        return self._call(lambda: self._again(lambda: self._run(command), seconds, name or command))

    def read(self, path: str) -> BinaryIO:
        """A file, fetched whole; FileNotFoundError when it is not there, OSError when it cannot be read."""
        return self._call(lambda: self._again(lambda: self._fetch(path), None, path))

    def read_many(self, paths: Iterable[str]) -> dict[str, BinaryIO]:
        """Those of several files that can be read, fetched at once."""
        return self._call(lambda: self._read_many(list(paths)))

    def grown(self, files: Mapping[str, int]) -> dict[str, tuple[int, bytes]]:
        """What was added to files behind so many bytes, as `Backend.grown` says, fetched at once."""
        return self._call(lambda: self._grown(files))

    def write(self, path: str, data: bytes, mode: int) -> None:
        """Write a file that appears whole under its name, making its folder; OSError as the server gives it."""
        self._call(lambda: self._again(lambda: self._put(path, data, mode), None, path))

    def exists(self, path: str) -> bool:
        """Whether there is something under this name."""
        return self._call(lambda: self._again(lambda: self._exists(path), COMMAND_SECONDS, path))

    def present(self, paths: Sequence[str]) -> set[str]:
        """Those of several names under which there is something, asked for at once."""

        async def all_of_them() -> list[bool]:
            sftp = await self._files()
            return await asyncio.gather(*(sftp.exists(path) for path in paths))

        told = self._call(lambda: self._again(all_of_them, COMMAND_SECONDS, f"{len(paths)} files"))
        return {path for path, there in zip(paths, told, strict=True) if there}

    def close(self) -> None:
        """Hang up. The next question opens the connection again."""
        with self._guard:
            loop = self._loop if self._process == os.getpid() else None
            self._loop = None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._hang_up(), loop).result(COMMAND_SECONDS)
            _let_go(loop, self._held, os.getpid())

    def _call(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have the thread do what `begin` makes there. Made here, it would be left over when control-C comes before the thread has it."""
        loop, answer, tasks = self._running(), Future[T](), list[asyncio.Task[T]]()

        def start() -> None:
            if not answer.cancelled():
                tasks.append(loop.create_task(begin()))
                tasks[0].add_done_callback(partial(_hand_over, answer))

        def stop() -> None:
            answer.cancel()
            for task in tasks:
                task.cancel()

        try:
            loop.call_soon_threadsafe(start)
            return answer.result()
        except BaseException:
            if not answer.done() and not loop.is_closed():
                loop.call_soon_threadsafe(stop)
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        """The loop of the thread, begun when there is none; after a fork there is none."""
        with self._guard:
            if self._loop is None or self._process != os.getpid():
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
                self._opening, self._channels = asyncio.Lock(), asyncio.Semaphore(CHANNELS)
                self._open = self._sftp = None
                self._held = []
                finalize(self, _let_go, self._loop, self._held, self._process)
                threading.Thread(target=_turn, args=(self._loop,), name="slurm-ssh", daemon=True).start()
            return self._loop

    async def _again(self, action: Callable[[], Awaitable[T]], seconds: float | None, what: str) -> T:
        """Do it, and once more on a fresh connection each time that the connection is cut meanwhile, as often as the login allows."""
        problem: Exception = ConnectionError("it was never open")
        for _ in range(self.login.attempts):
            used = await self._connected()
            try:
                async with self._channels, asyncio.timeout(seconds):
                    return await action()
            except _CUT as error:
                problem = error
                await self._drop(used)
            except TimeoutError as error:
                raise BackendTimeout(f"{self.login}: no answer within {seconds or QUIET_SECONDS:.0f} s: {what}") from error
            except asyncssh.SFTPError as error:
                raise _os_error(error, what) from error
        raise BackendError(f"{self.login}: the connection is cut again and again: {problem}")

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._opening:
            if self._open is not None and not self._open.is_closed():
                return self._open
            self._sftp = None
            pause = self.login.retry_delay
            for attempt in range(self.login.attempts):
                try:
                    self._open = await self.login.open(keepalive=KEEPALIVE_SECONDS, keepalives=KEEPALIVES)
                    self._held[:] = [self._open]
                    return self._open
                except LoginRefused:
                    raise
                except BackendError:
                    if attempt + 1 == self.login.attempts:
                        raise
                await asyncio.sleep(pause)
                pause *= 2
            raise BackendError(f"{self.login}: connection_attempts={self.login.attempts} leaves nothing to try")

    async def _drop(self, used: asyncssh.SSHClientConnection) -> None:
        if self._open is used:
            self._open = self._sftp = None
        used.abort()

    async def _hang_up(self) -> None:
        if self._open is not None:
            self._open.close()
            with contextlib.suppress(TimeoutError):  # what is left of it is aborted
                await asyncio.wait_for(self._open.wait_closed(), CLOSE_SECONDS)
        self._open = self._sftp = None

    async def _run(self, command: str) -> Answer:
        done = await (await self._connected()).run(command, check=False, stdin=asyncssh.DEVNULL, encoding="utf-8", errors="replace")
        if done.exit_status is None:
            raise ConnectionError("the connection was cut while a command ran")
        return Answer(-1 if done.exit_signal else done.exit_status, str(done.stdout or ""), str(done.stderr or ""))

    async def _files(self) -> asyncssh.SFTPClient:
        connection = await self._connected()
        if self._sftp is None:
            try:
                self._sftp = await connection.start_sftp_client()
            except (asyncssh.SFTPBadMessage, asyncssh.SFTPConnectionLost, asyncssh.ChannelOpenError) as error:
                if connection.is_closed() or (isinstance(error, asyncssh.ChannelOpenError) and error.code != OPEN_REQUEST_SESSION_FAILED):
                    raise
                raise BackendError(f"{self.login} does not answer by SFTP, by which files travel ({error}): its sshd has that switched "
                                   "off, or a start-up "
                                   "file of the login shell prints something, which it may do only where it is interactive") from error
        return self._sftp

    async def _fetch(self, path: str) -> BinaryIO:
        kept = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 — it is the caller's
        sftp = await self._files()
        async with _moving() as still, sftp.open(path, "rb") as file:
            while piece := cast(bytes, await file.read(PIECE)):
                kept.write(piece)
                still()
                if len(piece) < PIECE:
                    break
        kept.seek(0)
        return cast(BinaryIO, kept)

    async def _read_many(self, paths: list[str]) -> dict[str, BinaryIO]:
        room, turn = TOGETHER, asyncio.Semaphore(CHANNELS)

        async def one(path: str) -> BinaryIO | None:
            nonlocal room
            async with turn:
                if room <= 0:
                    return None  # large ones are fetched when they are read, one at a time
                try:
                    file = await self._again(lambda: self._fetch(path), None, path)
                except (FileNotFoundError, PermissionError):
                    return None  # whoever reads it is told then
            room -= file.seek(0, os.SEEK_END)
            file.seek(0)
            return file

        fetched = await asyncio.gather(*map(one, paths))
        return {path: file for path, file in zip(paths, fetched, strict=True) if file is not None}

    async def _grown(self, files: Mapping[str, int]) -> dict[str, tuple[int, bytes]]:
        async def one(path: str, start: int) -> tuple[int, bytes]:
            sftp = await self._files()
            try:
                async with _moving(), sftp.open(path, "rb") as file:
                    size = (await file.stat()).size or 0
                    place = begin(start, size)
                    data = cast(bytes, await file.read(GROWN, place)) if place < size else b""
                    return place + len(data), data
            except _ABSENT:
                return 0, b""  # it may come yet

        told = await asyncio.gather(*(self._again(lambda path=path, start=start: one(path, start), None, path)  # type: ignore[misc]
                                      for path, start in files.items()))
        return {path: answer for path, answer in zip(files, told, strict=True) if answer[1]}

    async def _put(self, path: str, data: bytes, mode: int) -> None:
        sftp = await self._files()
        new = f"{path}.{uuid4().hex[:8]}.new"
        attributes = asyncssh.SFTPAttrs(permissions=mode)
        async with _moving() as still:
            try:
                file = await sftp.open(new, "wb", attributes)
            except _ABSENT:
                await self._make(sftp, os.path.dirname(path))
                file = await sftp.open(new, "wb", attributes)
            try:
                async with file:
                    for start in range(0, len(data), PIECE):
                        await file.write(data[start:start + PIECE])
                        still()
                await sftp.posix_rename(new, path)
            except asyncssh.SFTPFailure as error:
                # SFTP has no word for a full disk, and what was written of the file makes it no emptier.
                with contextlib.suppress(asyncssh.SFTPError):
                    await sftp.remove(new)
                raise OSError(5, f"it cannot be written on {self.login}, where the disk or the quota may be full", path) from error

    async def _make(self, sftp: asyncssh.SFTPClient, folder: str) -> None:
        """Make a folder and those above it."""
        try:
            await sftp.makedirs(folder, asyncssh.SFTPAttrs(permissions=0o700), exist_ok=True)
        except (asyncssh.SFTPFailure, *_ABSENT) as error:
            # SFTP has no word for a disk that is full or read-only; mkdir has.
            answer = await self._run(through("sh -c", marked(f"umask 077; mkdir -p {shlex.quote(folder)}")))
            if answer.status:
                raise OSError(5, f"{behind_mark(answer.err).strip() or error.reason} on the remote side", folder) from error

    async def _exists(self, path: str) -> bool:
        return await (await self._files()).exists(path)


def _hand_over(answer: Future[T], task: asyncio.Task[T]) -> None:
    """Give who waits in another thread what became of a task, unless nobody waits any more."""
    if task.cancelled() or answer.cancelled():
        answer.cancel()
    elif (error := task.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(task.result())


def _let_go(loop: asyncio.AbstractEventLoop, held: list[asyncssh.SSHClientConnection], process: int) -> None:
    """Abort what is still open and end the thread; also when nobody closed a connection that nobody has any more."""
    if loop.is_closed() or process != os.getpid():
        return

    def stop() -> None:
        for connection in held:
            connection.abort()
        loop.call_later(STOP_SECONDS, loop.stop)

    loop.call_soon_threadsafe(stop)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


class _moving:
    """A time limit that begins anew each time that the function it gives is called."""

    def __init__(self) -> None:
        self._limit = asyncio.timeout(QUIET_SECONDS)

    async def __aenter__(self) -> Callable[[], None]:
        await self._limit.__aenter__()
        return lambda: self._limit.reschedule(asyncio.get_running_loop().time() + QUIET_SECONDS)

    async def __aexit__(self, *reason: Any) -> None:
        await self._limit.__aexit__(*reason)


def _os_error(error: asyncssh.SFTPError, path: str) -> OSError:
    if isinstance(error, _ABSENT):
        return FileNotFoundError(2, "No such file or directory on the remote side", path)
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return PermissionError(13, "Permission denied on the remote side", path)
    return OSError(5, f"{error.reason or type(error).__name__} on the remote side", path)


def one_line(words: Iterable[str], environment: Iterable[tuple[str, str]], folder: str) -> str:
    """A command as text for `sh -c`: these words, quoted, with these variables, in this folder."""
    return f"{prelude(environment, folder)}exec {shlex.join(words)}"


def prelude(environment: Iterable[tuple[str, str]], folder: str) -> str:
    """Shell text that sets variables and goes to a folder."""
    exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in environment)
    return exports + (f"cd {shlex.quote(folder)} && " if folder else "")
