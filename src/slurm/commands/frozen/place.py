"""Where the frozen file is kept."""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + "/"
"""The folder of `slurm`, with a slash behind it."""
