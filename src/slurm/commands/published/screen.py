"""`slurm.tui`: whether there is a full screen to be had."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["check_textual_available"]


def check_textual_available() -> None:
    """Do nothing; ImportError says how to get textual where it is missing."""
    if find_spec("textual") is None:
        raise ImportError("`slurm top` needs textual: pip install textual")
