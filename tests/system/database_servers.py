"""Real database servers for tests: PostgreSQL and MariaDB of Debian's packages, each in a folder of its own, on a unix socket, without a port."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from slurm.store.accounting.storage import MYSQL, POSTGRESQL, Storage

START_SECONDS = 60.0
DATABASE = "slurm_acct_db"


def _program(*patterns: str) -> str:
    for pattern in patterns:
        found = sorted(glob.glob(pattern))
        if found:
            return found[-1]
    raise AssertionError(f"none of {patterns} is installed: .ci/run installs postgresql and mariadb-server")


class Server:
    """One server: `storage` is how slurmdbd reaches it. It can be killed, as a machine's end would kill it, and started again."""

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._user = {POSTGRESQL: "postgres", MYSQL: "mysql"}[kind] if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        os.makedirs(folder, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, self._user)
        self._socket = folder if kind == POSTGRESQL else os.path.join(folder, "mariadb.sock")
        self.storage = Storage(kind, DATABASE, self._socket, 0, self._user if kind == POSTGRESQL else "slurm", "" if kind == POSTGRESQL else "secret")

    def make(self) -> None:
        """The files of an empty server, then the server with an empty database in it."""
        data = os.path.join(self.folder, "data")
        if self.kind == POSTGRESQL:
            self._run(_program("/usr/lib/postgresql/*/bin/initdb"), "-D", data, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        else:
            # Started by root, it becomes the other user by itself.
            self._run(_program("/usr/bin/mariadb-install-db"), "--no-defaults", f"--datadir={data}", f"--user={self._user}",
                      "--auth-root-authentication-method=normal", "--skip-test-db", f"--tmpdir={self.folder}", user=None)
        self.start()
        if self.kind == POSTGRESQL:
            self._run(_program("/usr/lib/postgresql/*/bin/createdb"), "-h", self._socket, DATABASE)
        else:
            self._run(_program("/usr/bin/mariadb"), "-u", "root", "-S", self._socket, "-e", (
                f"CREATE DATABASE {DATABASE}; CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'secret'; "
                f"GRANT ALL ON {DATABASE}.* TO 'slurm'@'localhost';"))

    def start(self) -> None:
        """Start it and wait until it answers. It does not wait for the disk: the machine goes on when the server is killed."""
        data = os.path.join(self.folder, "data")
        if self.kind == POSTGRESQL:
            words = [_program("/usr/lib/postgresql/*/bin/postgres"), "-D", data, "-k", self._socket, "-c", "listen_addresses=", "-c", "fsync=off"]
        else:
            words = [_program("/usr/sbin/mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={self._socket}", "--skip-networking",
                     f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=2", f"--tmpdir={self.folder}"]
        said = os.path.join(self.folder, "log")
        with open(said, "ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, user=self._user, start_new_session=True, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                with open(said, errors="replace") as text:
                    raise AssertionError(f"{self.kind} did not start:\n{text.read()[-3000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        words = [_program("/usr/lib/postgresql/*/bin/pg_isready"), "-q", "-h", self._socket] if self.kind == POSTGRESQL else [
            _program("/usr/bin/mariadb-admin"), "-S", self._socket, "-u", "root", "--silent", "ping"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        process, self._process = self._process, None
        if process is not None:
            everybody = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for each in everybody:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()
            psutil.wait_procs(everybody, START_SECONDS)

    def cpu_seconds(self) -> float:
        """What its processes have used so far."""
        assert self._process is not None
        processes = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        return sum(times.user + times.system for times in (process.cpu_times() for process in processes))

    def stop(self) -> None:
        """End it in order."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT if self.kind == POSTGRESQL else signal.SIGTERM)
            process.wait(START_SECONDS)

    def _run(self, *words: str, user: str | None = "") -> None:
        done = subprocess.run(words, capture_output=True, text=True, check=False, user=self._user if user == "" else user, cwd=self.folder)
        assert done.returncode == 0, f"{words[0]}: {done.stdout}\n{done.stderr}"


@contextmanager
def running(kind: str, folder: str) -> Iterator[Server]:
    """A new server with an empty database, stopped at the end."""
    server = Server(kind, folder)
    try:
        server.make()
        yield server
    finally:
        server.stop()
