"""`ssh`: any Slurm through its commands on a login node, real or ours. Files go by SFTP, states by one squeue for all jobs.

How the connection is kept stands in `ssh_connection`, who is let in in `ssh_login`, how code gets there in `calls.shipping`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple
from uuid import uuid4

from slurm.sdk.backends.backend import SAY_SECONDS, Around, handing_in
from slurm.sdk.backends.commands import Overdue, SlurmCommands, sbatch, submitted
from slurm.sdk.backends.polling import Poll
from slurm.sdk.backends.program import FILTERS, PLAIN, behind_mark, marked, through
from slurm.sdk.backends.ssh_connection import COMMAND_SECONDS, Answer, SshConnection, one_line, prelude
from slurm.sdk.backends.ssh_login import Login
from slurm.sdk.errors import BackendCommandError, BackendError, InvalidOption, SubmissionError
from slurm.sdk.published.methods import PublishedMethods

SHORTEST, LONGEST = 0.3, 5.0
UNSURE = 75
"""Exit status of a submission that was begun before the connection was cut and has not been heard of since."""
NAMED = 60
"""So many characters of a command are shown in errors."""
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_PATH = re.compile(r"[\w@%+=:,./~{}$-]+")
_FOUND = re.compile(r"^slurm-(home|user|sbatch|base)=(.*)$", re.MULTILINE)


class Surroundings(NamedTuple):
    """What a login shell found: `home` and `user` there, `shell` that knows where Slurm's commands are."""

    home: str
    user: str
    shell: str


class SshBackend(SlurmCommands, PublishedMethods):
    """Jobs on the cluster behind a login node. Nothing is asked of the host before it is needed.

    `env` are variables for Slurm's commands, and so for the jobs; `remote_workdir` is where jobs are submitted from, home otherwise. The
    other arguments are those of `Login`.
    """

    name = "ssh"
    pace = (0.3, 3.0)

    def __init__(self, hostname: str = "", *, env: Mapping[str, str] | None = None, remote_workdir: str | None = None,
            **login: Any) -> None:
        for name in env or ():
            if not _VARIABLE.fullmatch(name):
                raise InvalidOption(f"Cluster: env={{{name!r}: …}} is no name of a variable")
        self.hostname = hostname
        self.connection = SshConnection(Login(hostname, **login))
        self._env = dict(env or {})
        self._remote_workdir = remote_workdir
        self._surroundings: Surroundings | None = None
        self._bases: dict[str, str] = {}
        self._fetched: dict[str, BinaryIO] = {}
        poll = Poll(self.states, SHORTEST, LONGEST)
        self.changes, self.wake = poll.changes, poll.wake
        self._overdue: Overdue = Overdue(self.present, self._lies)

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """sbatch, once, however often the connection is cut meanwhile: what it says is kept beside the script and found again."""
        mark = shlex.quote(f"{path}.{uuid4().hex[:8]}.sbatch")
        command = (
            f"{self._prelude()}if mkdir {mark} 2>/dev/null; then {shlex.join(sbatch(path, array, limit))} >{mark}/out 2>{mark}/err; "
            f"echo $? >{mark}/new; mv {mark}/new {mark}/status; "
            f"else n=0; while [ -d {mark} ] && [ ! -e {mark}/status ] && [ $n -lt 20 ]; do n=$((n+1)); sleep 1; done; fi; "
            f"[ -e {mark}/status ] || exit {UNSURE}; cat {mark}/out; cat {mark}/err >&2; exit \"$(cat {mark}/status)\"")
        told = {"path": path, "host": self.connection.login.hostname}
        try:
            with handing_in(path):
                answer = self._shell(command, "sbatch")
        except BackendError as error:
            raise SubmissionError(self._unsure(path, str(error)), script=script, metadata=told) from error
        if answer.status == UNSURE:
            raise SubmissionError(self._unsure(path, answer.err.strip() or "sbatch began and did not end"), script=script, metadata=told)
        found = submitted(answer.out)
        if answer.status or found is None:
            said = answer.err.strip() or f"sbatch printed no job id: {answer.out.strip()!r}"
            raise SubmissionError(f"the cluster did not take the job: {said}", script=script, metadata=told)
        self._overdue.submitted(found, path, options)
        return found

    def rest(self) -> None:
        """Nothing listens between questions."""

    def read(self, path: str) -> BinaryIO:
        """A file of a job, fetched."""
        found = self._fetched.pop(path, None)
        return found if found is not None else self.connection.read(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Fetch files at once that will be read next, one after the other."""
        self._fetched = self.connection.read_many(paths)

    def present(self, paths: Sequence[str]) -> set[str]:
        """Those of these files that are there."""
        return self.connection.present(paths)

    def grown(self, files: Mapping[str, int]) -> dict[str, tuple[int, bytes]]:
        """What was added to these files, fetched at once."""
        return self.connection.grown(files)

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Write a file of a job whole."""
        self.connection.write(path, data, mode)

    def close(self) -> None:
        """Hang up."""
        self.wake()
        self._fetched = {}
        self.connection.close()

    def base(self, path: str) -> str:
        """`path` with the `~` and the variables of that side."""
        if path not in self._bases:
            found = path
            if "$" in path:
                if not _PATH.fullmatch(path):
                    raise InvalidOption(f"job_base_dir={path!r}: beside variables it may hold letters, digits and @%+=:,./~{{}}- only")
                found = dict(_FOUND.findall(self.say(f"echo \"slurm-base={path}\""))).get("base", "")
            if found == "~" or found.startswith("~/"):
                found = self.surroundings().home + found[1:]
            if not found.startswith("/"):
                found = f"{self.around().folder}/{found}"
            self._bases[path] = found.rstrip("/")
        return self._bases[path]

    def around(self) -> Around:
        """Where and as whom sbatch runs."""
        found = self.surroundings()
        return Around(self._remote_workdir or found.home, found.user)

    def surroundings(self) -> Surroundings:
        """What there is on the other side; BackendError when Slurm's commands are not."""
        if self._surroundings is None:
            probe = (f"{prelude(self._env.items(), '')}echo slurm-home=$HOME; echo slurm-user=$(id -un); "
                     f"echo slurm-sbatch=$(command -v sbatch)")
            for shell in ("sh -c", "bash -lc"):
                answer = self._heard(through(shell, marked(probe)), "command -v sbatch")
                found = dict(_FOUND.findall(answer.out))
                if found.get("sbatch"):
                    self._surroundings = Surroundings(found["home"], found["user"], shell)
                    return self._surroundings
            said = answer.err.strip() or _FOUND.sub("", answer.out).strip()
            raise BackendError(
                f"{self.connection.login} has no sbatch on PATH, in a login shell neither{f': {said}' if said else ''}. "
                "If Slurm is installed elsewhere: Cluster(…, env={\"PATH\": \"/opt/slurm/bin:/usr/bin:/bin\"})")
        return self._surroundings

    def unpack(self, archive: bytes, folder: str) -> None:
        """Make `folder` of a .tar.gz unless it is there; others may do the same at the same time. OSError with what tar said."""
        if self.connection.exists(folder):
            return
        token = f"{folder}.{uuid4().hex[:8]}"
        self.write(f"{token}.tgz", archive)
        new, packed, final = (shlex.quote(one) for one in (token, f"{token}.tgz", folder))
        answer = self._shell(f"mkdir -p {new} && tar -xzf {packed} -C {new} && mv -T {new} {final}; rm -rf {packed} {new}; [ -d {final} ]",
                             f"tar -xzf {packed}")
        if answer.status:
            raise OSError(5, f"{answer.err.strip().partition(chr(10))[0]} on the remote side", folder)

    def say(self, command: str, seconds: float = SAY_SECONDS) -> str:
        """What a shell command line printed, with this cluster's variables, in the folder that jobs are submitted from."""
        answer = self._shell(self._prelude() + command, shortened(command), seconds)
        if answer.status:
            raise BackendCommandError(answer.err.strip() or f"it ended with {answer.status}")
        return answer.out

    def _unsure(self, path: str, problem: str) -> str:
        return (f"whether the cluster took the job is unknown: {problem}. If it did, its id is in {path}.*.sbatch/out on "
                f"{self.connection.login.hostname}: look there and in squeue before you submit again")

    def typed(self, words: Sequence[str]) -> str:
        """A command as it would be typed at the login node, with this cluster's variables."""
        return self._in_shell(one_line(words, self._env.items(), self._remote_workdir or ""))

    def _run(self, *words: str) -> str:
        asking = one_line(words, {**self._env, **PLAIN}.items(), self._remote_workdir or "")
        answer = self._shell(f"unset {' '.join(FILTERS)}; {asking}", words[0])
        if answer.status:
            raise BackendCommandError(answer.err.strip() or f"{words[0]} ended with {answer.status} on {self.connection.login}")
        return answer.out or (answer.err if "--test-only" in words else "")

    def _shell(self, command: str, name: str, seconds: float = COMMAND_SECONDS) -> Answer:
        return self._heard(self._in_shell(marked(command)), name, seconds)

    def _heard(self, command: str, name: str, seconds: float = COMMAND_SECONDS) -> Answer:
        status, out, err = self.connection.run(command, seconds, name)
        return Answer(status, behind_mark(out), behind_mark(err))

    def _in_shell(self, command: str) -> str:
        return through(self.surroundings().shell, command)

    def _prelude(self) -> str:
        return prelude(self._env.items(), self._remote_workdir or "")


def shortened(command: str) -> str:
    """A shell line, or several, as an error names them."""
    text = " ".join(command.split())
    return text if len(text) <= NAMED else f"{text[:NAMED]} …"
