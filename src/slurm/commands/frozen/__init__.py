"""The commands as one file of compiled code, from which they start in half the time: how it is made, and how a command starts from it.

It lies in a `__pycache__` of the package, like what Python itself compiles, and is believed under the same conditions: whoever could write
there could write the sources, and a source of another time or size than it was made of makes it worth nothing. docs/decisions/0027 tells
why.
"""

from __future__ import annotations

import os
import sys

from slurm.commands.frozen.place import PACKAGE


def after(status: int) -> int:
    """The status of a command that did not start from the frozen file; that is made now for the next one, if it is for this user to do."""
    if not sys.dont_write_bytecode and os.access(f"{PACKAGE}commands", os.W_OK):
        from slurm.commands.frozen import build  # it needs longer to be loaded than a command takes

        try:
            build.renew(PACKAGE)
        except Exception as problem:  # what the command did is done; the next one starts as this one did
            import warnings

            warnings.warn(f"the commands cannot be frozen: {problem!r}", ImportWarning, stacklevel=2)
    return status
