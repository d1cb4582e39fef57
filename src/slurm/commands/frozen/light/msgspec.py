"""What of `msgspec` the readers of records need: structs with defaults, made of JSON that our own daemons wrote."""

from __future__ import annotations

from typing import Any


class ValidationError(ValueError):
    """A value that is not of its type."""


class Struct:
    """The base of a struct whose `_fields`, and `_kinds` of values that are no plain JSON, were written out when its module was frozen;
    defaults are the class's."""

    _fields: tuple[str, ...] = ()
    _kinds: dict[str, tuple[str, Any]] = {}  # noqa: RUF012 - a constant

    def __init__(self, *values: object, **named: object) -> None:
        self.__dict__.update(zip(self._fields, values, strict=False))
        self.__dict__.update(named)


class structs:  # noqa: N801 - a module in msgspec
    """Functions on structs."""

    @staticmethod
    def replace(struct: Struct, **changes: object) -> Struct:
        """A copy with these changes."""
        copy = object.__new__(type(struct))
        copy.__dict__.update(struct.__dict__)
        copy.__dict__.update(changes)
        return copy


def to_builtins(struct: Any) -> dict[str, object]:
    """The fields that were given, as JSON takes them; of a struct of msgspec itself what that says."""
    if not isinstance(struct, Struct):
        return _real().to_builtins(struct)  # type: ignore[no-any-return]
    return dict(struct.__dict__)


def convert(value: object, kind: Any) -> Any:
    """Plain JSON as a list of structs, `kind` being list[…]; ValidationError where it is something else."""
    if not isinstance(value, list):
        raise ValidationError(f"Expected `array`, got `{type(value).__name__}`")
    of = kind.__args__[0]
    if not issubclass(of, Struct):
        return _real().convert(value, kind)
    return [_made(one, of) for one in value]


def _real() -> Any:
    import msgspec

    return msgspec


def _made(value: object, kind: Any) -> Any:
    if not issubclass(kind, Struct):
        return kind(value)
    if not isinstance(value, dict):
        raise ValidationError(f"Expected `object`, got `{type(value).__name__}`")
    for name, (how, of) in kind._kinds.items():
        given = value.get(name)
        if given is None:
            continue
        if how == "one":
            value[name] = _made(given, of)
        elif how == "list":
            value[name] = [_made(one, of) for one in given]
        else:
            value[name] = {key: _made(one, of) for key, one in given.items()}
    made = object.__new__(kind)
    made.__dict__.update(value)
    return made
