"""What a way of packaging is: told of a call, it brings there what the job needs, and has its say in the job's script."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import python_version
from slurm.sdk.errors import PackagingError
from slurm.sdk.packaging.settings import Config
from slurm.sdk.place import Place


class PackagingStrategy:
    """One way of packaging for one call.

    After `prepare`: `source` is the folder that slurm-py is found in ("" where the interpreter finds it by itself), `path` what goes before
    sys.path and `behind` what goes after it.
    """

    def __init__(self, config: Config) -> None:
        self.config = dict(config)
        self.source = ""
        self.path: list[str] = []
        self.behind: list[str] = []
        self.interpreter: list[str] = []

    def prepare(self, task: Any, cluster: Place) -> None:
        """Make and bring what the job needs, once a content; PackagingError when that cannot be done."""
        raise PackagingError(f"packaging={self.config.get('type')!r} cannot be carried out")

    def command(self) -> list[str]:
        """The words that run the runner; its own arguments follow.

        -P: the working folder is that of the results, which grows by every task; on sys.path each import would list it anew. Older Pythons
        do not know
        -P: they get to the runner, which says so.
        """
        return [*self.interpreter, *(["-P"] if self.interpreter == [sys.executable] else []), "-m", "slurm.runner"]

    def lines(self, files: JobFiles, base: int | None) -> list[str]:
        """Lines of the script before the runner; `base` as in `script.render`, None when the job is no array."""
        return []

    def launch(self, command: str, launcher: str, files: JobFiles) -> list[str]:
        """The lines that run the runner's command line; `launcher` is srun's where the job has several tasks, else ""."""
        return [f"exec {launcher} {command}" if launcher else f"exec {command}"]

    def made(self) -> dict[str, Any]:
        """What `prepare` has made, for the children of a workflow."""
        return {name: getattr(self, name) for name in ("source", "path", "behind", "interpreter")}

    def take(self, made: dict[str, Any]) -> None:
        """Use what `made` tells of instead of making it."""
        for name, value in made.items():
            setattr(self, name, value)


def asked_python(config: Config, cluster: Place) -> list[str]:
    """The interpreter that is asked for, as words; PackagingError when it is known to be another version than this one."""
    here = "{}.{}".format(*python_version())
    version = config.get("python_version")
    if version is not None and ".".join(str(version).split(".")[:2]) != here:
        raise PackagingError(f"packaging_python_version={version!r}, but this program is Python {here}: functions travel as compiled "
                             "code, which another "
                             f"version cannot run. Say python_version=\"{here}\", or run this program with Python {version}")
    asked = config.get("python_executable")
    if asked is not None:
        first, *words = shlex.split(asked) if isinstance(asked, str) else asked
        return [os.path.join(cluster.home, first) if "/" in first else first, *words]
    return [f"python{here}"] if version is not None else [cluster.python or sys.executable]


def quoted(words: Sequence[str]) -> str:
    """Words as the shell reads them."""
    return " ".join(shlex.quote(word) for word in words)
