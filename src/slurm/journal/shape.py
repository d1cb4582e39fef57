"""Shape: what a struct looks like once it is written down: as text, as data, and of the structs in memory.

The text has, one struct after the other, its name, then `field:form`, or `field:form=default` (JSON) of what is left out while it has its
default. A form is int, str, [str], {int:Step}, (int,int), Step|none … The form `tag` is the name under which a struct is told from others.
"""

from __future__ import annotations

import enum
import json
import textwrap
import types
import typing
from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any, NamedTuple

import msgspec

from slurm.model.cpu_set import CpuSet

REQUIRED = object()
WIDTH = 138


class Field(NamedTuple):
    """One field: its form and, unless it is REQUIRED, what it is where nothing is written."""

    form: str
    default: Any = REQUIRED


_PLAIN: dict[Any, str] = {
    str: "str", int: "int", float: "float", bool: "bool", bytes: "bytes", type(None): "none", CpuSet: "bytes", msgspec.Raw: "any",
    Any: "any"}


class Shape(dict[str, Field]):
    """The fields of one struct, in order; complete when it is first asked."""

    @cached_property
    def required(self) -> frozenset[str]:
        """Fields that are always written."""
        return frozenset(name for name, field in self.items() if field.default is REQUIRED)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The others, with what they are where nothing is written."""
        return {name: field.default for name, field in self.items() if field.default is not REQUIRED}

    @cached_property
    def records(self) -> dict[str, str]:
        """Fields that hold records → their forms."""
        return {name: field.form for name, field in self.items() if structs_in(field.form)}


Shapes = dict[str, Shape]
"""Struct → its shape."""


def parse(text: str) -> Shapes:
    """The shapes of a text."""
    found: Shapes = {}
    fields = Shape()  # of the struct whose words these are
    for word in text.split():
        name, colon, rest = word.partition(":")
        if not colon:
            fields = found[name] = Shape()
            continue
        of, equals, text = rest.partition("=")
        default: Any = json.loads(text) if equals else REQUIRED
        fields[name] = Field(of, default.encode() if of == "bytes" and equals else default)
    return found


def show(shapes: Shapes) -> str:
    """The text of shapes."""
    return "".join(
        textwrap.fill(" ".join((struct, *(_word(name, field) for name, field in fields.items()))), WIDTH, subsequent_indent="  ",
        break_on_hyphens=False) + "\n"
        for struct, fields in shapes.items())


def _word(name: str, field: Field) -> str:
    if field.default is REQUIRED:
        return f"{name}:{field.form}"
    default = field.default.decode() if isinstance(field.default, bytes) else field.default
    return f"{name}:{field.form}={json.dumps(default, separators=(',', ':'))}".replace(" ", "\\u0020")


def shapes_of(structs: Iterable[type[msgspec.Struct]]) -> Shapes:
    """The shapes of structs in memory and of all that they are made of, as msgspec writes them."""
    found: Shapes = {}
    known: dict[str, type[msgspec.Struct]] = {}
    waiting = list(structs)
    while waiting:
        struct = waiting.pop(0)
        if known.setdefault(struct.__name__, struct) is not struct:
            raise TypeError(f"two structs have the name {struct.__name__}")
        if struct.__name__ not in found:
            fields = msgspec.structs.fields(struct)
            config = struct.__struct_config__
            found[struct.__name__] = Shape({} if config.tag is None else {str(config.tag_field): Field("tag", config.tag)})
            found[struct.__name__].update({field.encode_name: Field(form(field.type), _default(field)) for field in fields})
            waiting += [nested for field in fields for nested in _nested(field.type)]
            if config.array_like or (not config.omit_defaults and any(not field.required for field in fields)):
                raise TypeError(f"{struct.__name__} is not written as the journal writes structs: give it omit_defaults=True, and no "
                                "array_like")
    return found


def form(kind: Any) -> str:
    """How values of a type are written; TypeError for one that has no place in a journal."""
    kind = _base(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return form(type(next(iter(kind)).value))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind.__name__
    origin, parts = typing.get_origin(kind), [form(part) for part in typing.get_args(kind) if part is not ...]
    if origin in (typing.Union, types.UnionType):
        return "|".join(sorted(parts, key=lambda part: (part == "none", part)))
    if origin in (list, set, frozenset):
        return f"[{parts[0]}]"
    if origin is tuple:
        return f"[{parts[0]}]" if ... in typing.get_args(kind) else f"({','.join(parts)})"
    if origin is dict:
        return f"{{{parts[0]}:{parts[1]}}}"
    raise TypeError(f"{kind} has no place in a journal")


@cache
def structs_in(of: str) -> tuple[str, ...]:
    """The structs that a form speaks of, however deep."""
    return tuple(word for word in of.translate(_SIGNS).split() if word not in _WORDS)


_WORDS = {*_PLAIN.values(), "tag"}
_SIGNS = str.maketrans(dict.fromkeys("[]{}():,|", " "))


def _base(kind: Any) -> Any:
    while isinstance(kind, typing.NewType) or typing.get_origin(kind) is typing.Annotated:
        kind = kind.__supertype__ if isinstance(kind, typing.NewType) else typing.get_args(kind)[0]
    return kind


def _nested(kind: Any) -> list[type[msgspec.Struct]]:
    kind = _base(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [nested for argument in typing.get_args(kind) for nested in _nested(argument)]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return REQUIRED
    default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if isinstance(default, CpuSet):
        return default.to_bytes()
    if isinstance(default, set | frozenset | tuple):
        return list(default)
    if isinstance(default, msgspec.Struct):
        return msgspec.to_builtins(default)
    return default.value if isinstance(default, enum.Enum) else default
