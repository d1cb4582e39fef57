"""`contextmanager` for plain generators, and `nullcontext`."""

from __future__ import annotations

from collections.abc import Callable, Iterator


class _Generated:
    """A context that one run of a generator makes: what comes before its yield, and what comes after."""

    __slots__ = ("_generator",)

    def __init__(self, generator: Iterator[object]) -> None:
        self._generator = generator

    def __enter__(self) -> object:
        return next(self._generator)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if kind is None:
            if next(self._generator, self) is not self:
                raise RuntimeError("generator didn't stop")
            return False
        try:
            self._generator.throw(error if error is not None else kind())  # type: ignore[attr-defined]
        except StopIteration as stop:
            return stop is not error
        except BaseException as raised:
            if raised is error or (isinstance(error, StopIteration) and raised.__cause__ is error):
                return False  # a generator turns the second into a RuntimeError
            raise
        raise RuntimeError("generator didn't stop after throw()")


class nullcontext:  # noqa: N801 — its name in contextlib
    """A context that does nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: object = None) -> None:
        self._value = value

    def __enter__(self) -> object:
        return self._value

    def __exit__(self, *reason: object) -> None:
        return None


def contextmanager(function: Callable[..., Iterator[object]]) -> Callable[..., _Generated]:
    """Contexts from a generator function."""
    return lambda *arguments, **named: _Generated(function(*arguments, **named))


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    import contextlib

    return getattr(contextlib, name)
