"""The class of modules, for the package's front door."""

from __future__ import annotations

import sys

ModuleType = type(sys)


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    import types

    return getattr(types, name)
