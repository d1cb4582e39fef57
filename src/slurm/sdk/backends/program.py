"""One call of a Slurm command on this machine: how it is run, and how it fails; and what passes through a login shell whole,
whichever it is and whatever its start-up files say.

sshd hands every command to the user's login shell. csh ends a quoted text at a newline and fish reads backslashes in it; .bashrc and .cshrc
of many users print something, which then stands before every answer.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence

from slurm.sdk.errors import BackendCommandError, BackendTimeout

MARK = "slurm-answers-below"
"""The line behind which an answer begins."""
_NOT_EVERYWHERE = re.compile(r"[\n\\!]")
_PLAIN = re.compile(rb"[\w @%+=:,./{}()\[\]<>;|&*?~^#-]")


def through(shell: str, command: str) -> str:
    """A command line for any login shell that has `shell`, such as "sh -c", carry out `command`."""
    if not _NOT_EVERYWHERE.search(command):
        return f"exec {shell} {shlex.quote(command)}"
    spelt = "".join(chr(byte) if _PLAIN.match(bytes([byte])) else f"\\0{byte:03o}" for byte in command.encode(errors="surrogateescape"))
    return f"exec {shell} 'eval \"$(printf %b \"{spelt}\")\"'"


def marked(command: str) -> str:
    """`command`, saying first that its answer begins."""
    return f"echo {MARK}; echo {MARK} >&2; {command}"


def behind_mark(said: str) -> str:
    """What a marked command printed, without what was printed before it; all of it where it never began."""
    before, mark, behind = said.partition(f"{MARK}\n")
    return behind if mark else before


SECONDS = 30.0
PLAIN = {"SLURM_BITSTR_LEN": "0", "SLURM_TIME_FORMAT": "standard", "PYTHONIOENCODING": "utf-8"}
"""Variables with which the commands cut no list of array tasks short and write times and letters in the one way that is read here."""
FILTERS = ("SQUEUE_ACCOUNT", "SQUEUE_ALL", "SQUEUE_ARRAY", "SQUEUE_LICENSES", "SQUEUE_NAMES", "SQUEUE_PARTITION", "SQUEUE_QOS",
    "SQUEUE_SORT",
           "SQUEUE_STATES", "SQUEUE_USERS", "SINFO_ALL", "SINFO_PARTITION", "SINFO_SORT", "SCONTROL_ALL")
"""Variables with which a user has the commands leave things out, which then would seem not to exist."""


def plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables for a command whose answer is read; not for sbatch, which hands them on to the job."""
    return {name: value for name, value in environ.items() if name not in FILTERS} | PLAIN


def ours(words: Sequence[str]) -> list[str]:
    """One of our own commands, run by this interpreter, so that it need not be on PATH."""
    code = f"import sys; from slurm.commands.{words[0]} import main; sys.argv[0] = {words[0]!r}; sys.exit(main())"
    return [sys.executable, "-P", "-c", code, *words[1:]]


def said(words: Sequence[str], environ: Mapping[str, str], name: str = "", seconds: float = SECONDS) -> str:
    """What a command printed; BackendCommandError with its standard error when it failed. `name` is what it is called in errors."""
    name = name or words[0]
    try:
        done = subprocess.run(words, env=environ, capture_output=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL,
            timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise BackendCommandError(f"{name} is not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise BackendTimeout(f"{name} did not answer within {seconds:g} s") from error
    if done.returncode:
        raise BackendCommandError(done.stderr.strip() or f"{name} ended with {done.returncode}")
    return done.stdout or (done.stderr if "--test-only" in words else "")  # the one answer that sbatch gives there
