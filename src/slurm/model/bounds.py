"""Bounds: what a field of a message may hold. Messages carry them in their annotations; the daemons enforce them, whoever the client was.

    name: Annotated[str, Text(1024)] = ""       at most 1,024 characters, none of them a control character
    ntasks: Annotated[int, Whole(0, 100)] = 0   a whole number from 0 to 100
    ids: Annotated[list[JobText], Many(10)]     at most ten, each within its own bounds

Records that come from the journal are not looked at here: what was acknowledged once is never refused afterwards. A field without bounds is
a TypeError as soon as its message is met (`checker`), so that it cannot be forgotten. Not here: what fields mean (core.admission).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sized
from enum import Enum
from functools import cache
from typing import Annotated, Any, NamedTuple, NewType, Union, get_args, get_origin, get_type_hints

import msgspec

from slurm.model.cpu_set import CpuSet
from slurm.model.errors import InvalidRequest, NotPermitted
from slurm.model.settings import Settings

_SHOWN = 40
_CONTROL = frozenset(map(chr, (*range(32), 127, *range(128, 160))))
"""The control characters of ASCII and Latin-1: they move cursors and end lines."""
_NO_OPTION = "no dash at its beginning or behind a comma"


class Text(NamedTuple):
    """A text of at most `most` characters, or bytes as UTF-8 (`in_bytes`); `plain`: without control characters; NUL is in none.

    `setting` names the field of Settings, and `key` the key of slurm.conf, from which `most` comes. `words`: only these. `argument`: a
    program gets it as an argument some day, so that nothing in it may read as an option: it, and what stands behind a comma, begins with no
    dash.
    """

    most: int = 0
    plain: bool = True
    words: tuple[str, ...] = ()
    in_bytes: bool = False
    setting: str = ""
    key: str = ""
    error: str = "ESLURM_PATHNAME_TOO_LONG"
    advice: str = ""
    argument: bool = False

    def __str__(self) -> str:
        if self.words:
            return "one of: " + ", ".join(word or '""' for word in self.words)
        unit = "bytes" if self.in_bytes else "characters"
        whole = f"at most {self.most:,} {unit}{f' ({self.key})' if self.key else ''}, {'no control characters' if self.plain else 'no NUL'}"
        return f"{whole}, {_NO_OPTION}" if self.argument else whole


class Whole(NamedTuple):
    """A whole number from `least` to `most`."""

    least: int
    most: int
    error: str = "ESLURM_INVALID_OPTION"

    def __str__(self) -> str:
        return f"a whole number from {self.least} to {self.most}"


class Real(NamedTuple):
    """A number from `least` to `most`."""

    least: float
    most: float
    error: str = "ESLURM_INVALID_OPTION"

    def __str__(self) -> str:
        return f"a number from {self.least:.15g} to {self.most:.15g}"


class Many(NamedTuple):
    """A list or mapping of at most `most` entries."""

    most: int
    error: str = "ESLURM_PATHNAME_TOO_LONG"

    def __str__(self) -> str:
        return f"at most {self.most:,} entries"


class Variables(NamedTuple):
    """An environment: names that are not empty and have no "=", no NUL anywhere, and no more of it than Linux hands to a program.

    `entries` bounds how many, `most` all names and values together, `longest` one of them with its name; bytes of UTF-8.
    """

    entries: int = 32_768
    most: int = 2 * 1024 * 1024
    longest: int = 131_070
    error: str = "ESLURM_PATHNAME_TOO_LONG"

    def __str__(self) -> str:
        return (f"at most {self.entries:,} variables, {self.most:,} bytes together and {self.longest:,} each, names not empty and without "
                "=, no NUL")


class Operator(NamedTuple):
    """Only root, SlurmUser and operators may set it."""

    def __str__(self) -> str:
        return "only by operators"


Bound = Text | Whole | Real | Many | Variables
Check = Callable[[Any, str, Settings], None]
"""Called with a value, the name of its field and the settings; InvalidRequest when it is out of bounds."""

PATH_MAX = 4095
WORDS_LONGEST = 131_070
"""The longest argument or variable that Linux hands to a program, in bytes (MAX_ARG_STRLEN without its NUL)."""
COUNT_MAX = 2**31 - 1
MEMORY_MAX = 2**43
"""In MB: 2**63 bytes."""
MINUTES_MAX = 2**31 - 1
LAST_MOMENT = 253_370_764_800
"""1 January 9999: later moments have no name in any notation."""

Name = Annotated[str, Text(1024)]
"""A name that Slurm bounds so: of a job, an account, a partition, a feature, a file system …"""
Note = Annotated[str, Text(1024, plain=False)]
"""A remark, which may have several lines."""
Word = Annotated[str, Text(64)]
"""A word of ours or of Slurm's: a state, a field, a kind."""
Path = Annotated[str, Text(PATH_MAX)]
"""A path, as long as Linux takes one."""
Hosts = Annotated[str, Text(65_536)]
"""A host list."""
JobText = Annotated[str, Text(4_096)]
"""A reference to jobs: 12, 12_3, 12_[1-3,7], 12.0."""
Argument = Annotated[str, Text(WORDS_LONGEST, plain=False, in_bytes=True)]
"""A word of a command line."""
Arguments = Annotated[list[Argument], Many(65_536)]
Environment = Annotated[dict[str, str], Variables()]
Count = Annotated[int, Whole(0, COUNT_MAX)]
PortCount = Annotated[int, Whole(-1, 0xFFFF, "ESLURM_PORTS_INVALID")]
"""How many ports, -1: as many as the tasks need."""
Memory = Annotated[int, Whole(0, MEMORY_MAX, "ESLURM_INVALID_TASK_MEMORY")]
JobNumber = Annotated[int, Whole(0, 2**31 - 1, "ESLURM_INVALID_JOB_ID")]
StepNumber = Annotated[int, Whole(-10, 2**31 - 1, "ESLURM_INVALID_JOB_ID")]
Attempt = Annotated[int, Whole(0, 2**31 - 1)]
Seconds = Annotated[int, Whole(-1, 60 * MINUTES_MAX, "ESLURM_INVALID_TIME_LIMIT")]
"""A length of time, -1: without end."""
Moment = Annotated[float, Real(0, LAST_MOMENT, "ESLURM_INVALID_TIME_VALUE")]
Status = Annotated[int, Whole(0, 0xFFFF)]
"""A wait status."""
UserId = Annotated[int, Whole(0, 2**32 - 2)]


def sent(value: object) -> str:
    """What a client sent, short and without control characters, for a refusal."""
    if isinstance(value, str):
        shown = repr(value[:_SHOWN])
        return f"{shown}… ({len(value):,} characters) was sent" if len(value) > _SHOWN else f"{shown} was sent"
    if isinstance(value, Sized):
        return f"{len(value):,} were sent"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length():,} bits was sent"
    return f"{value!r} was sent"


def check(message: msgspec.Struct, settings: Settings) -> None:
    """InvalidRequest, naming field, limit and what was sent, unless every field of a message is within its bounds."""
    checker(type(message))(message, "", settings)


def check_fields(kind: type[msgspec.Struct], fields: Mapping[str, object], settings: Settings) -> None:
    """The same for single fields of a struct, as `scontrol update` sets them; names that the struct has not are passed over."""
    checks = _fields(kind)
    for name, value in fields.items():
        found = checks.get(name)
        if found is not None:
            found(value, name, settings)


def whole(text: str, least: int = 0, most: int = COUNT_MAX) -> int:
    """The number that a text of `scontrol update` stands for; ValueError says which are valid."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise ValueError(f"a whole number from {least} to {most}")
    return int(text)


def require_rights(message: msgspec.Struct, *, operator: bool) -> None:
    """NotPermitted when somebody who is no operator sets a field that only operators may set."""
    if operator:
        return
    for name, default in _reserved(type(message)):
        value = getattr(message, name)
        if value != default:
            raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[f"only operators set {name}; {sent(value)}"])


@cache
def checker(kind: type[msgspec.Struct]) -> Check:
    """What checks a struct; TypeError when one of its fields has no bounds."""
    defaults = _defaults(kind)
    rows = [(name, defaults.get(name, ...), one) for name, one in _fields(kind).items()]

    def each(message: Any, place: str, settings: Settings) -> None:
        for name, default, one in rows:
            value = getattr(message, name)
            if value is not default:
                one(value, f"{place}.{name}" if place else name, settings)

    return each


def _defaults(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {field.name: field.default for field in msgspec.structs.fields(kind)}


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name in kind.__struct_fields__:
            one = _check_of(hint, f"{kind.__name__}.{name}")
            if one is not None:
                found[name] = one
    return found


@cache
def _reserved(kind: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    defaults = _defaults(kind)
    hints = get_type_hints(kind, include_extras=True)
    return tuple((name, defaults[name]) for name, hint in hints.items() if any(isinstance(extra, Operator) for extra in _extras(hint)))


def bounds_of(kind: type[msgspec.Struct]) -> dict[str, list[object]]:
    """Field → its bounds as they are written down, for the page of limits and for tests; of a list its own and those of its entries."""
    return {
        name: _all_extras(hint) for name, hint in get_type_hints(kind, include_extras=True).items()
        if name in kind.__struct_fields__}


def _extras(hint: Any) -> tuple[Any, ...]:
    return tuple(hint.__metadata__) if get_origin(hint) is Annotated else ()


def _all_extras(hint: Any) -> list[object]:
    found: list[object] = [extra for extra in _extras(hint) if isinstance(extra, Bound | Operator)]
    for part in get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint):
        found += _all_extras(part)
    return found


# --- from annotations to checks -----------------------------------------------------------------------------------------


def _check_of(hint: Any, where: str) -> Check | None:
    """The check of one type, None when its values need none; TypeError when it has no bounds and needs some."""
    bounds = [extra for extra in _extras(hint) if isinstance(extra, Bound)]
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    plain = plain.__supertype__ if isinstance(plain, NewType) else plain
    if get_origin(plain) in (Union, types.UnionType):
        return _union(plain, bounds, where)
    if plain in (bool, type(None)):
        return None
    if _is_enum(plain):
        return None  # only its own values can be read at all
    if hasattr(plain, "__struct_fields__"):
        return checker(plain)
    if get_origin(plain) is tuple:
        return _tuple(plain, where)
    if len(bounds) != 1:
        raise TypeError(f"{where} ({plain}) needs one bound (slurm.model.bounds), it has {len(bounds)}")
    return _one(plain, bounds[0], where)


def _is_enum(plain: object) -> bool:
    return isinstance(plain, type) and issubclass(plain, Enum)


def _one(plain: Any, bound: Bound, where: str) -> Check:
    kind = get_origin(plain) or plain
    if isinstance(bound, Text) and kind in (str, bytes):
        return _text(bound) if kind is str else _sized(bound)
    if isinstance(bound, Whole) and kind is int or isinstance(bound, Real) and kind is float:
        return _number(bound)
    if isinstance(bound, Whole) and kind is CpuSet:
        return _members(bound)
    if isinstance(bound, Variables) and kind is dict:
        return _variables(bound)
    if isinstance(bound, Many) and kind in (list, dict, set):
        return _many(bound, [_check_of(part, where) for part in get_args(plain)])
    raise TypeError(f"{where} ({plain}) cannot be bounded by {bound!r}")


def _union(plain: Any, bounds: list[Bound], where: str) -> Check | None:
    parts = [part for part in get_args(plain) if part is not type(None)]
    structs = [part for part in parts if hasattr(part, "__struct_fields__")]
    if structs and len(structs) == len(parts):
        checks = {part: checker(part) for part in structs}
        return lambda value, place, settings: None if value is None else checks[type(value)](value, place, settings)
    if len(parts) != 1:
        raise TypeError(f"{where}: {plain} cannot be bounded")
    inner = _check_of(Annotated[parts[0], *bounds] if bounds else parts[0], where)
    if inner is None:
        return None
    return lambda value, place, settings: None if value is None else inner(value, place, settings)


def _tuple(plain: Any, where: str) -> Check:
    checks = [_check_of(part, where) for part in get_args(plain)]

    def each(value: Any, place: str, settings: Settings) -> None:
        for one, part in zip(checks, value, strict=True):
            if one is not None:
                one(part, place, settings)

    return each


def _refusal(place: str, limit: object, value: object, error: str, advice: str = "") -> InvalidRequest:
    return InvalidRequest(error, hints=[f"{place}: {limit}; {sent(value)}", *([advice] if advice else [])])


def _text(bound: Text) -> Check:
    if bound.words:
        words = frozenset(bound.words)

        def among(value: Any, place: str, settings: Settings) -> None:
            if value not in words:
                raise _refusal(place, bound, value, "ESLURM_INVALID_OPTION")

        return among

    def check_text(value: Any, place: str, settings: Settings) -> None:
        most = getattr(settings, bound.setting) if bound.setting else bound.most
        size = len(value)
        if size > most or (bound.in_bytes and size * 4 > most and len(value.encode(errors="replace")) > most):
            raise _refusal(place, bound._replace(most=most), value, bound.error, bound.advice)
        if (bound.plain and not value.isprintable() and not _CONTROL.isdisjoint(value)) or "\0" in value:
            raise _refusal(place, "no control characters" if bound.plain else "no NUL", value, "ESLURM_INVALID_OPTION")
        if bound.argument and any(part.lstrip().startswith("-") for part in value.split(",")):
            raise _refusal(place, f"{_NO_OPTION}: a program would take it for an option", value, "ESLURM_INVALID_OPTION")

    return check_text


def _number(bound: Whole | Real) -> Check:
    least, most = bound.least, bound.most

    def check_number(value: Any, place: str, settings: Settings) -> None:
        if not least <= value <= most:
            raise _refusal(place, bound, value, bound.error)

    return check_number


def _members(bound: Whole) -> Check:
    def check_members(value: Any, place: str, settings: Settings) -> None:
        if value.end > bound.most + 1:
            raise _refusal(place, bound, value.end - 1, bound.error)

    return check_members


def _sized(bound: Text | Many) -> Check:
    def check_size(value: Any, place: str, settings: Settings) -> None:
        if len(value) > bound.most:
            raise _refusal(place, bound, value, bound.error)

    return check_size


def _many(bound: Many, parts: list[Check | None]) -> Check:
    keys, values = parts if len(parts) == 2 else (None, parts[0])

    def check_many(value: Any, place: str, settings: Settings) -> None:
        if len(value) > bound.most:
            raise _refusal(place, bound, value, bound.error)
        if keys is not None:
            for key in value:
                keys(key, f"{place} (a name)", settings)
        if values is not None:
            for item in value.values() if isinstance(value, dict) else value:
                values(item, place, settings)

    return check_many


def _variables(bound: Variables) -> Check:
    def check_variables(value: Any, place: str, settings: Settings) -> None:
        if len(value) > bound.entries:
            raise _refusal(place, f"at most {bound.entries:,} variables", value, bound.error)
        # A submission has hundreds: looked at together, and one by one only to say which it is.
        names, values = "\0".join(value), "".join(value.values())
        size = len(names) + len(values)
        if size * 4 > bound.longest:
            _check_sizes(bound, value, place)
        if "" in value or "=" in names or names.count("\0") >= max(1, len(value)) or "\0" in values:
            name = next(name for name, text in value.items() if not name or "=" in name or "\0" in name or "\0" in text)
            raise _refusal(f"{place}[{name[:_SHOWN]!r}]", "a name that is not empty and has no =, and no NUL", value[name],
                "ESLURM_INVALID_OPTION")

    return check_variables


def _check_sizes(bound: Variables, value: dict[str, str], place: str) -> None:
    whole = 0
    for name, text in value.items():
        size = len(name.encode(errors="replace")) + len(text.encode(errors="replace")) + 1
        whole += size
        if size > bound.longest:
            raise _refusal(f"{place}[{name[:_SHOWN]!r}]", f"at most {bound.longest:,} bytes, as Linux has it", text, bound.error)
    if whole > bound.most:
        raise InvalidRequest(bound.error, hints=[
            f"{place}: at most {bound.most:,} bytes together; {whole:,} were sent",
            "pass large values in a file, or leave variables out (--export)"])
