"""How a call of a plug-in goes wrong, for whoever calls: it refused, or it failed."""

from __future__ import annotations

from typing import Any


class PluginFailed(Exception):
    """It raised, ended, hung or answered nonsense; the text says which, and begins with the plug-in's name.

    `outside`: it raised an OSError: something that it needs was not there, and may be later.
    """

    def __init__(self, message: str, *, outside: bool = False) -> None:
        super().__init__(message)
        self.outside = outside


class PluginRefused(Exception):
    """It says no, in words for the user."""


ABSENT = object()
"""The value of a function that the plug-in does not have."""


def value_of(name: str, answer: Any) -> Any:
    """The value of an answer; PluginRefused, PluginFailed."""
    if isinstance(answer, dict):
        if "value" in answer:
            return answer["value"]
        if "absent" in answer:
            return ABSENT
        if isinstance(answer.get("refused"), str):
            raise PluginRefused(answer["refused"])
        if isinstance(answer.get("failed"), str):
            raise PluginFailed(f"{name}: {answer['failed']}", outside=answer.get("outside") is True)
    raise PluginFailed(f"{name}: it answered nonsense: {str(answer)[:80]}")
