"""What a command does behind its work when it did not start from the frozen file."""

from __future__ import annotations

import os
import sys

from slurm.commands.frozen import PACKAGE


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
