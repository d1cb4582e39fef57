"""The commands as one file of compiled code, from which they start in half the time: how it is made, and how a command starts from it.

It lies in a `__pycache__` of the package, like what Python itself compiles, and is believed under the same conditions: whoever could write
there could write the sources, and a source of another time or size than it was made of makes it worth nothing. docs/decisions/0027 tells
why.
"""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + "/"
"""The folder of `slurm`, with a slash behind it."""
