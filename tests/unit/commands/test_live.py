"""What `watch` shows while a cluster changes, goes away and comes back."""

from __future__ import annotations

import io

import pytest

from slurm.commands import live
from slurm.commands.embedded.console import Console
from slurm.commands.live import Picture
from slurm.sdk.errors import BackendError, LoginRefused


def watched(*pictures: Picture | BackendError, json: bool = False, patience: float = 5.0) -> tuple[str, list[float]]:
    """What is printed, and the pauses."""
    out, pauses, left = io.StringIO(), [], list(pictures)

    def look() -> Picture:
        found = left.pop(0)
        if isinstance(found, BackendError):
            raise found
        return found

    live.watch(Console(out, out, json=json), look, pauses.append, 0.01, patience)
    return out.getvalue(), pauses


def picture(*lines: str, over: bool = False) -> Picture:
    return Picture(lambda: "drawn", lines, [{"line": line} for line in lines], over)


def test_a_line_is_printed_for_each_change_until_it_is_over() -> None:
    assert watched(picture("a", "b"), picture(), picture("c", over=True)) == ("a\nb\nc\n", [0.01, 0.01])
    assert watched(picture("a"), picture("c", over=True), json=True)[0] == '{"line": "a"}\n{"line": "c"}\n'


def test_a_cluster_that_is_away_for_a_while_ends_nothing() -> None:
    assert watched(picture("a"), BackendError("away"), BackendError("away"), picture("b", over=True))[0] == "a\nb\n"


def test_one_that_stays_away_or_refuses_the_user_does() -> None:
    with pytest.raises(BackendError, match="away"):
        watched(*(BackendError("away") for _ in range(50)), patience=0.05)
    with pytest.raises(LoginRefused):
        watched(LoginRefused("no"), picture("never", over=True))
