"""Where a job writes: what `output` and `error` of its options name, seen from the folder it runs in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from slurm.notation import filenames
from slurm.sdk.backends.backend import Around


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
