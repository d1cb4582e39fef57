"""What of `typing` is still there when a program runs. Annotations are gone from frozen modules, so most names are only placeholders."""

from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found]


class Any:
    """A placeholder in aliases of types."""


class Protocol:
    """The base of a protocol is a class like any other."""


class NamedTuple(tuple):  # type: ignore[type-arg]
    """The base of a named tuple whose `_fields` and `__new__` were written out when its module was frozen."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        for place, name in enumerate(cls._fields):
            setattr(cls, name, _tuplegetter(place, None))
        defaults = cls.__new__.__defaults__ or ()
        cls._field_defaults = dict(zip(cls._fields[len(cls._fields) - len(defaults):], defaults, strict=True))  # type: ignore[attr-defined]
        cls.__match_args__ = cls._fields  # type: ignore[misc, attr-defined]

    @classmethod
    def _make(cls, values: object) -> object:
        return cls(*values)  # type: ignore[misc]

    def _replace(self, **changes: object) -> object:
        found = self.__class__(*(changes.pop(name, value) for name, value in zip(self._fields, self,
            strict=True)))  # type: ignore[arg-type]
        if changes:
            raise ValueError(f"Got unexpected field names: {list(changes)!r}")
        return found

    def _asdict(self) -> dict[str, object]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{self.__class__.__name__}({shown})"

    def __getnewargs__(self) -> tuple[object, ...]:
        return tuple(self)


def NewType(name: str, kind: object) -> object:  # noqa: N802 — its name in typing
    """Values of a new type are those of the old one."""
    return _SAME


class _Same:
    """Gives values back; as a type it may stand in a union, which nobody looks into."""

    def __call__(self, value: object) -> object:
        return value

    def __or__(self, other: object) -> object:
        return self

    __ror__ = __or__


_SAME = _Same()


def cast(kind: object, value: object) -> object:
    """The value, believed to be of this type."""
    return value


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    import typing

    return getattr(typing, name)
