"""An ssh server in this process, for tests: a real shell and real files behind it, Slurm's commands as small scripts of the test's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import Any

import asyncssh

PASSWORD = "hunter2"


class FarSide:
    """Listens on a loopback port; `home` is the user's folder there, `bin` is on PATH. `cut` drops every connection.

    `greeting` is what a start-up file of the login shell prints before each command does, on both outputs.
    """

    def __init__(self, folder: Path, sftp: bool = True) -> None:
        self.greeting = b""
        self._sftp = sftp
        self.home, self.bin = folder / "a home", folder / "bin"
        for one in (self.home, self.bin):
            one.mkdir(parents=True)
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.known_hosts = folder / "known_hosts"
        self.commands: list[str] = []
        self.logins = 0
        self._connections: set[Any] = set()
        self._processes: set[asyncio.subprocess.Process] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._acceptor: Any = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port: int = self._acceptor.get_port()
        self.known_hosts.write_bytes(f"[127.0.0.1]:{self.port} ".encode() + self.key.export_public_key())

    def script(self, name: str, text: str) -> None:
        """A command there."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def cut(self) -> None:
        """Drop every connection, as a network does."""
        self._loop.call_soon_threadsafe(lambda: [connection.abort() for connection in list(self._connections)])

    def stop_listening(self) -> None:
        """Drop every connection and take no other."""

        async def end() -> None:
            for connection in list(self._connections):
                connection.abort()
            self._acceptor.close()
            await self._acceptor.wait_closed()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)

    def stop(self) -> None:
        """End, and everything that still runs."""
        self.stop_listening()

        async def end() -> None:
            for process in self._processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait([task for task in asyncio.all_tasks() if task is not asyncio.current_task()] or [asyncio.ensure_future(asyncio.sleep(0))],
                               timeout=10)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> Any:
        side = self

        class Server(asyncssh.SSHServer):
            """One user, one password."""

            def connection_made(self, conn: Any) -> None:
                side.logins += 1
                self._conn = conn
                side._connections.add(conn)

            def connection_lost(self, exc: Exception | None) -> None:
                side._connections.discard(self._conn)

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return password == PASSWORD

        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Server, server_host_keys=[self.key], process_factory=self._process, sftp_factory=self._sftp, encoding=None)

    async def _process(self, process: Any) -> None:
        self.commands.append(process.command)
        environment = {"HOME": str(self.home), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        started = await asyncio.create_subprocess_shell(
            process.command, cwd=self.home, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True)
        self._processes.add(started)
        out, err = await started.communicate()
        self._processes.discard(started)
        if not process.is_closing():
            process.stdout.write(self.greeting + out)
            process.stderr.write(self.greeting + err)
            process.exit(started.returncode or 0)
