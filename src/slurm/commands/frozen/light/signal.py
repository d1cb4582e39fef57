"""Signals as numbers, without the enumerations that `signal` builds when it is loaded."""

from __future__ import annotations

from _signal import *  # type: ignore[import-not-found] # noqa: F403 — the names of `signal` itself


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    import signal

    return getattr(signal, name)
