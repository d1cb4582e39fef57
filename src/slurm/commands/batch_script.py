"""Where sbatch gets its script from, and the checks a script must pass. Its #SBATCH lines are read in options.directives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import BinaryIO

from slurm.model.errors import SlurmError
from slurm.options.directives import WRAPPER
from slurm.options.errors import OptionError


class BatchScript:
    """A script's text, `path` as the job shows it ("" for standard input and --wrap), the job's default `name`, and how errors call it."""

    __slots__ = ("name", "path", "shown", "text")

    def __init__(self, text: str, path: str, name: str, shown: str) -> None:
        self.text = text
        self.path = path
        self.name = name
        self.shown = shown


def wrapped(command: str) -> BatchScript:
    """The script around the command line of --wrap."""
    return BatchScript(f"{WRAPPER}{command}\n", "", "wrap", "--wrap")


def from_stream(stream: BinaryIO) -> BatchScript:
    """The script that stands on standard input."""
    return BatchScript(_checked(stream.read(), "standard input"), "", "sbatch", "standard input")


def from_file(word: str, environ: Mapping[str, str]) -> BatchScript:
    """The script of this name: here, or, for a bare name, the first of that name on PATH. Source: sbatch(1)."""
    path = _found(word, environ)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        hint = f"{path}: {os.strerror(error.errno or 0)}"
        raise OptionError(f"Unable to open file {word}", exit_code=1, hints=[hint] if os.path.exists(path) else _similar(word)) from error
    return BatchScript(_checked(content, word), path, os.path.basename(path), word)


def _found(word: str, environ: Mapping[str, str]) -> str:
    here = os.path.abspath(word)
    if "/" in word or os.path.exists(here):
        return here
    for folder in environ.get("PATH", "").split(":"):
        path = os.path.join(folder, word)
        if folder and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return here


def _similar(word: str) -> list[str]:
    from slurm.notation.nearest import nearest

    folder = os.path.dirname(word)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return [f"there is no folder {folder}"]
    meant = nearest(os.path.basename(word), names)
    return [f"did you mean {os.path.join(folder, meant)}?"] if meant else [f"there is no such file in {os.path.abspath(folder or '.')}"]


def _checked(content: bytes, name: str) -> str:
    """The text of a script that a node can run; the errors are Slurm's, lines after the first as further errors."""
    if not content.strip():
        raise _refusal("Batch script is empty!")
    if not content.startswith(b"#!"):
        raise _refusal(
            "This does not look like a batch script.  The first",
            "line must start with #! followed by the path to an interpreter.",
            "For instance: #!/bin/sh",
        )
    if b"\0" in content:
        raise _refusal("The Slurm controller does not allow scripts that contain a NULL character '\\0'.")
    if b"\r\n" in content:
        raise _refusal(
            "Batch script contains DOS line breaks (\\r\\n)",
            "instead of expected UNIX line breaks (\\n).",
            hint=f"dos2unix {name} repairs it",
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refusal(f"Batch script is not UTF-8 text: line {line} holds the byte 0x{content[error.start]:02x}") from error


def _refusal(*lines: str, hint: str = "") -> SlurmError:
    return SlurmError("ESLURM_JOB_SCRIPT_MISSING", lines[-1], preface=lines[:-1], hints=[hint] if hint else ())
