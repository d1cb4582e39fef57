"""One embedded cluster seen from `slurm …`: its folder, its shape as written, its daemons, and a lock so that only one changes it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from slurm.commands.embedded.processes import Daemon, daemons
from slurm.commands.embedded.shape import Shape
from slurm.model.errors import StoreError
from slurm.net.discovery import Instance, instance


class EmbeddedCluster:
    """The cluster of one name; it exists once its slurm.conf does."""

    def __init__(self, environ: Mapping[str, str], name: str = "") -> None:
        self.instance: Instance = instance(environ, name)

    @property
    def shape(self) -> Shape | None:
        """What `slurm up` made, None when nothing was."""
        try:
            with open(f"{self.instance.root}/shape.json") as file:
                values = json.load(file)
            return Shape(**{**values, "gpu_files": tuple(values["gpu_files"])})
        except (OSError, ValueError, TypeError, KeyError):  # none, half written, or of another version: `slurm up` writes it anew
            return None

    def write(self, shape: Shape, texts: dict[str, str]) -> None:
        """Make the folders and files of a cluster of this shape; StoreError when the disk refuses."""
        root = self.instance.root
        try:
            for folder in (root, self.instance.run, self.instance.state, self.instance.log, *(self.instance.spool(n) for n in shape.names)):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            for name, text in {**texts, "shape.json": json.dumps(shape._asdict())}.items():
                path = f"{root}/{name}"
                if text:
                    with open(f"{path}.new", "w") as file:
                        file.write(text)
                        file.flush()
                        os.fsync(file.fileno())
                    os.replace(f"{path}.new", path)
                elif os.path.exists(path):
                    os.unlink(path)
        except OSError as error:
            raise StoreError(message=f"cannot write {error.filename or root}: {error.strerror}",
                             hints=["XDG_STATE_HOME names another place for the cluster's state"]) from error

    def want_rest(self, wanted: bool = True) -> None:
        """Whether a slurmrestd belongs to it from now on; StoreError when the disk refuses."""
        if wanted:
            _write(self.instance.rest_wanted, "slurm up --rest\n")
        else:
            for path in (self.instance.rest_wanted, self.instance.web_port):
                _remove(path)

    def want_web(self, port: int) -> None:
        """Have its slurmrestd serve the web page at this port from its next start on; StoreError when the disk refuses."""
        self.want_rest()
        _write(self.instance.web_port, f"{port}\n")

    @property
    def daemons(self) -> list[Daemon]:
        """All its daemons, [] when there is no cluster."""
        shape = self.shape
        return daemons(self.instance, shape.names) if shape is not None else []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else starts or stops this cluster meanwhile; waits for whoever does."""
        try:
            os.makedirs(self.instance.root, mode=0o700, exist_ok=True)
            lock = os.open(f"{self.instance.root}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(message=f"cannot write {self.instance.root}: {error.strerror}",
                             hints=["XDG_STATE_HOME names another place for the cluster's state"]) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(message=f"cannot write {path}: {error.strerror}") from error


def _remove(path: str) -> None:
    try:
        if os.path.exists(path):
            os.unlink(path)
    except OSError as error:
        raise StoreError(message=f"cannot remove {path}: {error.strerror}") from error
