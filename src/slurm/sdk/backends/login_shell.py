"""What passes through a login shell whole, whichever it is and whatever its start-up files say: command lines there, answers back.

sshd hands every command to the user's login shell. csh ends a quoted text at a newline and fish reads backslashes in it; .bashrc and .cshrc
of many users print something, which then stands before every answer.
"""

from __future__ import annotations

import re
import shlex

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
