"""The seam between the SDK and whatever runs its jobs. A backend hands scripts in, says how jobs stand, and keeps their files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, Protocol, runtime_checkable

from slurm.notation import filenames
from slurm.sdk.errors import BackendError, InvalidOption
from slurm.sdk.following.status import Status

DEFAULT_BASE = "~/slurm_jobs"
DEFAULT_MAX_ARRAY = 1001
SAY_SECONDS = 60.0
JOBS_A_QUESTION = 1000
"""How many ids one command line may name."""


class Around(NamedTuple):
    """Where and as whom a backend's jobs are submitted: what relative paths and %u in the names of their files mean."""

    folder: str
    user: str


class File(NamedTuple):
    """Where a job writes, and what stands before each of its lines where it is shown among others."""

    job: str
    path: str
    prefix: str = ""


class Backend(Protocol):
    """One way to run jobs. Ids are texts: "12", and "12_3" for an element of an array. Every method may raise BackendError."""

    name: str
    pace: tuple[float, float]
    """Seconds: the shortest and the longest pause between two looks at a file that grows."""

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """Hand in a script that has been written to `path`; its id. `array` are the numbers of elements, at most `limit` at once (0: no
        limit).

        The options stand as #SBATCH lines in the script too, which is what a cluster reads. Raises SubmissionError.
        """
        ...

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        """How these jobs stand, in one question; those that the cluster does not remember are UNKNOWN."""
        ...

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        """What has changed, perhaps of other jobs too: returns once something may have, or after `timeout` seconds, or when woken."""
        ...

    def wake(self) -> None:
        """Make a `changes` that waits in another thread return."""
        ...

    def rest(self) -> None:
        """Nobody waits for news any more: stop listening until `changes` is called again."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """End these jobs; those that have ended already are no error. BackendError when one may not be ended."""
        ...

    def ask(self, words: Sequence[str]) -> str:
        """What one of Slurm's commands printed, such as ["squeue", "-h"]; BackendCommandError with what it said when it failed.

        What `sbatch --test-only` says counts as printed, though it says that on standard error.
        """
        ...

    def read(self, path: str) -> BinaryIO:
        """A file of a job, open for reading; FileNotFoundError when it is not there."""
        ...

    def present(self, paths: Sequence[str]) -> set[str]:
        """Those of these files that are there."""
        ...

    def grown(self, files: Mapping[str, int]) -> dict[str, tuple[int, bytes]]:
        """What was added to files behind so many bytes (below 0: the last so many bytes), some of it, and where that ends.

        Files to which nothing was added, or which are not there, are left out; one that has become shorter is read from its beginning.
        """
        ...

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Write a file of a job whole, making its folder."""
        ...

    def prefetch(self, paths: Sequence[str]) -> None:
        """Say which files will be read next, one after the other, so that a distant backend fetches them together."""
        ...

    def base(self, path: str) -> str:
        """The absolute folder that `path`, perhaps with a `~` or variables, names where the jobs run."""
        ...

    def around(self) -> Around:
        """Where and as whom jobs are submitted."""
        ...

    def max_array(self) -> int:
        """How many elements one array may have."""
        ...

    def close(self) -> None:
        """Let go of connections; they are made again when needed."""
        ...


def longest_array(said: str) -> int:
    """How many elements an array may have by what `scontrol show config` says: their ids run from 0 to one below MaxArraySize."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.MULTILINE)
    return int(found[1]) if found else DEFAULT_MAX_ARRAY


@runtime_checkable
class Distant(Backend, Protocol):
    """A backend whose jobs do not see this process's disk: their code has to be brought to them (`calls.shipping`)."""

    def unpack(self, archive: bytes, folder: str) -> None:
        """Make `folder` of a .tar.gz unless it is there."""
        ...

    def say(self, command: str, seconds: float = SAY_SECONDS) -> str:
        """What a shell command line printed there; BackendCommandError when it failed, BackendTimeout when it took longer than
        `seconds`."""
        ...


@contextmanager
def handing_in(path: str) -> Iterator[None]:
    """While a script is handed in: who stops that with control-C is told how to find out whether it was taken."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(f"whether the cluster took a job is unknown: if it did, `squeue -o '%A %o'` shows the script {path}")
        raise


def array_words(array: Sequence[int], limit: int) -> list[str]:
    """The option that makes an array of elements with these numbers; none for a job that is no array."""
    if not array:
        return []
    runs: list[list[int]] = []
    for number in array:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    numbers = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return [f"--array={numbers}" + (f"%{limit}" if limit else "")]


BACKENDS = ("local", "commands", "subprocess", "inline", "ssh")
SSH_WORDS = frozenset((
    "hostname", "username", "password", "key_filename", "passphrase", "port", "known_hosts", "host_key_policy", "timeout",
    "connection_attempts",
    "retry_delay", "allow_agent", "look_for_keys", "auth_timeout", "remote_workdir", "env"))
SSH_ALIASES = {"ssh_key_path": "key_filename", "banner_timeout": "auth_timeout"}
"""Words of the published SDK → ours."""
SSH_REFUSED = frozenset(("gss_auth", "gss_kex", "gss_deleg_creds", "gss_host", "disabled_algorithms"))
"""Words of the published SDK that mean nothing to asyncssh."""


def base_of(backend: Any) -> Any:
    """Where a backend that a program brings has the folders of jobs made; None where it does not say."""
    theirs = getattr(backend, "theirs", backend)
    found = getattr(theirs, "__dict__", {}).get("job_base_dir") or getattr(theirs, "base_dir", None)
    return found if isinstance(found, str | os.PathLike) else None


def login_of(backend_type: str, keywords: dict[str, Any]) -> dict[str, Any]:
    """Take from the keywords those that are about ssh; ValueError or InvalidOption when they do not go with the backend."""
    if backend_type == "rest":
        raise BackendError('backend_type="rest" is not supported by slurm-py yet: it needs slurmrestd. Use "ssh", or "commands" on a '
                           'login node; '
                           "Cluster.from_backend takes a backend of your own")
    if backend_type not in BACKENDS:
        raise ValueError(f"Invalid backend_type: {backend_type}. Must be one of: {', '.join(BACKENDS)}")
    words = (SSH_WORDS | SSH_ALIASES.keys()) & keywords.keys()
    if backend_type == "ssh":
        if refused := SSH_REFUSED & keywords.keys():
            raise InvalidOption(f"Cluster: {', '.join(sorted(refused))} is not supported by slurm-py: say such things in ~/.ssh/config")
        taken = {word: keywords.pop(word) for word in words}
        return {SSH_ALIASES.get(word, word): value for word, value in taken.items() if value is not None}
    words -= {"timeout"}
    own = {"env": keywords.pop("env")} if "env" in words and backend_type in ("local", "commands") else {}
    if words := words - own.keys():
        raise InvalidOption(f"Cluster: {', '.join(sorted(words))} only means something with backend_type=\"ssh\"")
    return own


def chdir(options: Mapping[str, str | None], home: str, own: str) -> str:
    """The folder that a job runs in: what its options say, relative to `home`, else its own."""
    asked = options.get("chdir")
    return os.path.normpath(os.path.join(home, asked)) if asked else own


_OF_NODES = re.compile(r"%[0-9]*[Nnt]")
_OF_ELEMENTS = re.compile(r"%[0-9]*[jJNnt]")
"""What is filled in where the job runs; an element of an array has an id of its own (%j), which its array's submitter is not told."""


class Outputs(NamedTuple):
    """The `output` and `error` of a job of that name; None where it was not told, and writes beside its other files."""

    folder: str
    name: str
    user: str
    output: str | None
    error: str | None

    @classmethod
    def of(cls, options: Mapping[str, str | None], name: str, around: Around) -> Outputs:
        """As these options say; `around` is where and as whom the job is submitted."""
        return cls(os.path.join(around.folder, options.get("chdir") or ""), name, around.user, options.get("output"), options.get("error"))

    def paths(self, job: str, element: int | None = None) -> tuple[str | None, str | None]:
        """Standard output and error of a job or of an element of an array; "" where only the cluster knows."""
        return self._path(self.output, job, element), self._path(self.error, job, element)

    def _path(self, pattern: str | None, job: str, element: int | None) -> str | None:
        if not pattern:
            return None
        if "\\" not in pattern and (_OF_NODES if element is None else _OF_ELEMENTS).search(pattern.replace("%%", "")):
            return ""
        fields = filenames.Fields(int(job), self.name, self.user, None if element is None else int(job), element)
        return os.path.join(self.folder, filenames.expand(pattern, fields))
