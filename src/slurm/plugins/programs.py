"""Running a program of the site from within a plug-in's process: its own session, a deadline, its last words kept."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence

_SHOWN = 500
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


def run(arguments: Sequence[str], environment: Mapping[str, str], text: str, seconds: float) -> None:
    """Run to its end with `text` as its input; RuntimeError says how it failed, with what it said last.

    What it leaves behind is ended with the plug-in's process, as everything there.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(text.encode(errors="surrogateescape"))
        given.seek(0)
        try:
            ended = subprocess.run(  # noqa: S603
                list(arguments), env={"PATH": PATH, **environment}, stdin=given, stdout=said, stderr=subprocess.STDOUT, timeout=seconds,
                check=False, start_new_session=True)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{arguments[0]} took longer than {seconds:g} s and was ended") from None
        except OSError as error:
            raise RuntimeError(f"{arguments[0]} cannot be run: {error.strerror}") from error
        if ended.returncode:
            said.seek(max(0, said.seek(0, 2) - _SHOWN))
            words = said.read().decode(errors="replace").strip()
            raise RuntimeError(f"{arguments[0]} ended with status {ended.returncode}: {words or 'it said nothing'}")
