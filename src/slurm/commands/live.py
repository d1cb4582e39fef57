"""Live: a picture that a `watch` renews until it is over: drawn in place on a terminal, line by line or object by object elsewhere.

A cluster that is away for a while, as when it restarts, does not end a watch: the last picture stays, with what is wrong below it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from slurm.commands.embedded.console import Console, Drawing
from slurm.sdk.cluster import Cluster
from slurm.sdk.errors import BackendError, LoginRefused

HERE_SECONDS, DISTANT_SECONDS = 1.0, 5.0
SHORTEST = 0.2


class Picture(NamedTuple):
    """One look: what a terminal shows, what has changed since the last one as lines and as objects, and whether there is nothing more to
    see."""

    drawing: Callable[[], Drawing]
    lines: Sequence[str]
    objects: Sequence[object]
    over: bool = False


def interval(parser: argparse.ArgumentParser) -> None:
    """The option that says how often to look."""
    parser.add_argument("-i", "--poll-interval", type=_pause, default=0.0, metavar="SECONDS", help=(
        f"how often to look ({HERE_SECONDS:g}, over ssh {DISTANT_SECONDS:g})"))


def seconds(options: argparse.Namespace, cluster: Cluster) -> float:
    """How often to look, as was asked or as is kind to the cluster."""
    return float(options.poll_interval) or (DISTANT_SECONDS if cluster.backend_type == "ssh" else HERE_SECONDS)


def watch(console: Console, look: Callable[[], Picture], pause: Callable[[float], object], interval: float, patience: float) -> None:
    """Look, show, pause, until it is over or the user has seen enough; BackendError when the cluster stays away for `patience` seconds."""
    away_since = 0.0
    last: Picture | None = None
    with _screen(console) as live:
        while True:
            try:
                last, away_since = look(), 0.0
                _show(console, live, last)
                if last.over:
                    return
                pause(interval)
            except LoginRefused:
                raise
            except BackendError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > patience:
                    raise
                if live is not None:
                    live.update(_without(last, str(error)), refresh=True)
                time.sleep(min(interval, patience / 10))


def _pause(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not SHORTEST <= found < 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {SHORTEST:g} on, such as 2 or 0.5")
    return found


def _screen(console: Console) -> Any:
    """Where pictures replace one another, None where they cannot."""
    if console.json or not console.fancy:
        return nullcontext()
    from rich.console import Console as Rich
    from rich.live import Live

    return Live(console=Rich(file=console.out), auto_refresh=False, vertical_overflow="crop")


def _show(console: Console, live: Any, picture: Picture) -> None:
    if live is not None:
        live.update(picture.drawing(), refresh=True)
        return
    for line in picture.lines:
        console.line(line)
    if console.json:
        for one in picture.objects:
            console.answer(one)


def _without(last: Picture | None, problem: str) -> Drawing:
    from rich.console import Group
    from rich.text import Text

    return Group(*([last.drawing()] if last is not None else []), Text(f"No answer, trying again: {problem}", style="bold red"))
