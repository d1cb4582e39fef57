"""What Linux offers and Python does not: prctl, and the name in `ps` without the cost of importing setproctitle's package.

setproctitle's package imports logging and with it threading, whose fork handlers add 0.3 ms to every fork; its extension alone does not.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_IGNORED = 1  # SIG_IGN
PYTHONS_OWN = (int(signal.SIGPIPE), int(signal.SIGXFSZ), int(signal.SIGINT))
"""Signals that Python handles or ignores by itself."""
_libc = ctypes.CDLL(None, use_errno=True)
_bare = import_module("_signal")
_handler: Callable[[int], object] = _bare.getsignal
_set_handler: Callable[[int, int], object] = _bare.signal
_set_mask: Callable[[int, Iterable[int]], object] = _bare.pthread_sigmask
_REPLACE = int(signal.SIG_SETMASK)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none can hide by forking twice. OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int) -> None:
    """Get this signal when the parent ends, however it ends. OSError."""
    _prctl(_PR_SET_PDEATHSIG, number)


def be_seen_by_owner() -> None:
    """Have this process' files in /proc be those of whom it has become. Only for one that knows no secrets of who it was. OSError."""
    _prctl(_PR_SET_DUMPABLE, 1)


def take_signals(back: Iterable[int]) -> None:
    """Have these signals do what they do by default, and hold none back.

    Not by the functions of `signal`: their enumerations cost 60 page faults.
    """
    for number in back:
        _set_handler(number, 0)
    _set_mask(_REPLACE, ())


def ignored() -> list[int]:
    """The signals that this process ignores: daemons that nohup or a script's `&` started ignore some from their beginning."""
    return [number for number in range(1, _bare.NSIG) if _handler(number) == _IGNORED]


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _load_set_title() -> Callable[[str], None]:
    package = find_spec("setproctitle")
    if package is None:
        raise ImportError("setproctitle is not installed")
    spec = PathFinder.find_spec("_setproctitle", list(package.submodule_search_locations or ()))
    if spec is None or spec.loader is None:
        from setproctitle import setproctitle
        return setproctitle
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    setter: Callable[[str], None] = module.setproctitle
    return setter


set_title = _load_set_title()
"""Change the text that `ps` shows for this process."""
