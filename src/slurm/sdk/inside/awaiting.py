"""Functions whose call is not their result yet: coroutine functions, which a job runs to their end, and generators, which no job can
return.

Every job imports this module: neither `asyncio` nor `inspect` at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
"""As `inspect` calls them CO_GENERATOR, CO_COROUTINE and CO_ASYNC_GENERATOR."""


def check(function: Callable[..., Any], where: str) -> None:
    """TypeError for a function that yields: neither a generator nor what it stands in can travel."""
    if _flags(function) & (_GENERATOR | _ASYNC_GENERATOR):
        raise TypeError(f"{where}: it yields, and a generator cannot come back from a job: return a list, or make each item a call with "
                        ".map()")


def waited(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself; of an `async def` one that returns what it returns in the end."""
    if not _flags(function) & _COROUTINE:
        return function
    from functools import wraps

    @wraps(function)
    def whole(*args: Any, **kwargs: Any) -> Any:
        return _run(function(*args, **kwargs))

    return whole


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end; in a thread where this one has a loop already, as when a task is called inline from a notebook."""
    import asyncio
    from threading import Thread

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    from concurrent.futures import Future
    from contextvars import copy_context

    ended: Future[Any] = Future()

    def run() -> None:
        try:
            ended.set_result(asyncio.run(coroutine))
        except BaseException as error:
            # Whatever the task raises is its caller's.
            ended.set_exception(error)

    Thread(target=copy_context().run, args=(run,)).start()
    return ended.result()


def _flags(function: Any) -> int:
    function = getattr(function, "func", function)  # what functools.partial, or a task, stands for
    made = getattr(function, "__code__", None)
    if made is None and not isinstance(function, type):
        made = getattr(type(function).__call__, "__code__", None)
    return int(getattr(made, "co_flags", 0))
