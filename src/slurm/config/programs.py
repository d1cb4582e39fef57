"""Programs that the configuration names by patterns: Prolog=/etc/slurm/prolog.d/*, several lines of a key; and how long they may take."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from slurm.config.keys import Keys

UNLIMITED = 65534


def found(patterns: Sequence[str], folder: str) -> list[str]:
    """The files that these patterns mean now, pattern after pattern, each in order of names. Relative ones lie in `folder`, slurm.conf's.

    A plain path is itself, whether it is there or not: whoever runs it says so.
    """
    files: list[str] = []
    for pattern in patterns:
        whole = os.path.join(folder, pattern)
        if glob.has_magic(whole):
            files += sorted(path for path in glob.glob(whole) if os.path.isfile(path))
        else:
            files.append(whole)
    return files


def patterns(keys: Keys, key: str) -> list[str]:
    """What a key names, line by line."""
    return [text for text in keys.all_of(key) if text]


def time_out(keys: Keys, kind: str) -> int:
    """Seconds that a script of this kind (prolog | epilog) may take: PrologTimeout or EpilogTimeout, else PrologEpilogTimeout; 0 for no
    end."""
    own = f"{kind.title()}Timeout"
    seconds = keys.number(own if keys.written(own) is not None else "PrologEpilogTimeout")
    return 0 if seconds in (UNLIMITED, UNLIMITED + 1) or seconds < 0 else seconds
