"""After a fork: a lock that another thread held at that moment would be held for ever in the child, so what has locks makes them anew
there."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What has locks or threads."""

    def after_fork(self) -> None:
        """Make its locks anew, in the child, where no other thread is."""
        ...


_known: WeakSet[Forkable] = WeakSet()


def remember(one: Forkable) -> None:
    """Tell it after each fork, for as long as it lives."""
    _known.add(one)


def _forked() -> None:
    for one in list(_known):
        one.after_fork()


os.register_at_fork(after_in_child=_forked)
