"""A job's folder: which files lie in it, under which names, and how they are written so that nobody ever reads half of one.

    <base>/<task>/<stamp>_<id>/
        slurm_job_<key>_script.sh       the batch script
        slurm_job_<key>_call.pkl        what is to be called, pickled (`pickling`)
        slurm_job_<key>_items.pkl       the items of an array, each pickled by itself
        slurm_job_<key>_callbacks.pkl   callbacks that are called in the job, where there are any
        slurm_job_<key>_result.pkl      what the task returned; <key>_<index> in an array
        slurm_job_<key>_error.pkl       what it raised
        slurm_<key>.out, .err           standard output and error; <key>_<index> in an array

The names are those of the published SDK, whose programs find results by them. Imported by every job: nothing heavy here.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

_WORD = 8
CALLS = ".calls"
"""Where in its folder a workflow records its calls: what lies below `tasks` belongs to its tasks alone, whose runs programs list."""


class JobFiles:
    """The paths of one job, or with `index` of one element of an array, below `folder`; `key` is <stamp>_<id>."""

    __slots__ = ("array_key", "folder", "index", "key")

    def __init__(self, folder: str, key: str, index: int | None = None) -> None:
        self.folder = folder
        self.array_key = key
        self.index = index
        self.key = key if index is None else f"{key}_{index}"

    @classmethod
    def of(cls, script: str) -> JobFiles:
        """The files of the job whose script lies there; scripts of further attempts and parts of arrays have something behind their
        names."""
        folder, _, name = script.rpartition("/")
        return cls(folder, name.removeprefix("slurm_job_").partition("_script.sh")[0])

    @staticmethod
    def first_element(script: str) -> int:
        """The number of the first element of the part of an array whose script lies there."""
        part = script.partition("_script.sh.")[2].partition(".")[0]
        return int(part) if part.isdigit() else 0

    def element(self, index: int) -> JobFiles:
        """The files of one element of this array."""
        return JobFiles(self.folder, self.array_key, index)

    @property
    def script(self) -> str:
        """The batch script, one for a whole array."""
        return f"{self.folder}/slurm_job_{self.array_key}_script.sh"

    @property
    def call(self) -> str:
        """The pickled call, one for a whole array."""
        return f"{self.folder}/slurm_job_{self.array_key}_call.pkl"

    @property
    def items(self) -> str:
        """The items of an array."""
        return f"{self.folder}/slurm_job_{self.array_key}_items.pkl"

    @property
    def callbacks(self) -> str:
        """The pickled callbacks, one file for a whole array."""
        return f"{self.folder}/slurm_job_{self.array_key}_callbacks.pkl"

    @property
    def cache(self) -> str:
        """Where the results go that are cached, one path for each element."""
        return f"{self.folder}/slurm_job_{self.array_key}_cache.pkl"

    @property
    def result(self) -> str:
        """The pickled result."""
        return self.rank_result(0)

    @property
    def error(self) -> str:
        """The pickled exception."""
        return f"{self.folder}/slurm_job_{self.key}_error.pkl"

    def rank_result(self, rank: int) -> str:
        """The result of one rank of a job of several tasks; rank 0's is the job's."""
        return self.beside(f"{self.folder}/slurm_job_{self.key}_result.pkl", rank)

    @staticmethod
    def beside(result: str, rank: int) -> str:
        """Where the result of a rank lies when that of rank 0 is `result`."""
        return f"{result.removesuffix('.pkl')}.{rank}.pkl" if rank else result

    @property
    def stdout(self) -> str:
        """Standard output, where the task did not name another file."""
        return f"{self.folder}/slurm_{self.key}.out"

    @property
    def stderr(self) -> str:
        """Standard error, where the task did not name another file."""
        return f"{self.folder}/slurm_{self.key}.err"


@contextmanager
def whole(path: str, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to write that appears under `path` whole and on disk at the end of the block, or not at all; OSError as the disk gives it."""
    new = f"{path}.{os.getpid()}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def make_private(folder: str) -> None:
    """Make a folder and those above it, as far as they are missing, for this user only, whatever the umask; OSError as the disk gives it.

    Whoever may write into a folder above a job's can put another into its place, with a result that runs their code when it is read.
    """
    if os.path.isdir(folder):
        return
    make_private(os.path.dirname(os.path.abspath(folder)))
    with suppress(FileExistsError):  # somebody was faster, or it is a file: then the next step says so
        os.mkdir(folder, 0o700)


def folder_name(name: str) -> str:
    """A job's name as the name of a folder: lower case, with nothing but letters, digits, _ and -."""
    return re.sub(r"_+", "_", re.sub(r"[^\w-]+", "_", name.lower())).strip("_") or "task"


def pack_items(items: Sequence[bytes]) -> bytes:
    """One file of many items: their bytes, then where each begins, then how many there are (8-byte little-endian words)."""
    starts = array("Q", [0])
    for item in items:
        starts.append(starts[-1] + len(item))
    words = b"".join(start.to_bytes(_WORD, "little") for start in starts)
    return b"".join((*items, words, len(items).to_bytes(_WORD, "little")))


def read_item(path: str, index: int) -> bytes:
    """The bytes of one item; IndexError when there are not so many. Reads nothing of the others."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END) - _WORD
        file.seek(end)
        count = int.from_bytes(file.read(_WORD), "little")
        if not 0 <= index < count:
            raise IndexError(f"item {index} of an array of {count}")
        file.seek(end - (count + 1 - index) * _WORD)
        start, stop = (int.from_bytes(file.read(_WORD), "little") for _ in range(2))
        file.seek(start)
        return file.read(stop - start)
