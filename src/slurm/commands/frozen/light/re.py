"""Patterns written down in a module were compiled when it was frozen; whoever needs more of `re` gets the real one."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    import re

    return getattr(re, name)
