"""The texts of configuration values, read to what they mean: one function a kind of `schema.Row`.

Not here: which key has which kind (`schema_slurm`, `schema_lines`), how a value is shown (`show`).
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.config.schema import Row
from slurm.notation import duration, size, tres

Value = int | str | bool | list[str] | None
"""What a key holds: None where nothing is written and there is no default."""

INFINITE = duration.INFINITE
MAX_DIGITS = 18
MAX_CORES = 65536
LISTS = frozenset({"list", "uplist", "plugins", "tres"})
"""Kinds whose value is a list of words."""

LEVELS = ("quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5")
"""Log levels in rising order; Slurm also takes their place in this list."""

_YES = frozenset({"yes", "up", "true", "1"})
_NO = frozenset({"no", "down", "false", "0"})
_UNLIMITED = frozenset({"infinite", "unlimited", "-1"})
_AGES = frozenset({"", "hour", "hours", "day", "days", "month", "months"})
_SCALE = {"K": 10, "M": 20, "G": 30, "T": 40, "P": 50}


def read(row: Row, text: str) -> Value:
    """The value that `text` means for this key; ValueError says what would be valid."""
    if row.kind == "choice":
        return _choice(row, text)
    return READERS[row.kind](text)


def default(row: Row) -> Value:
    """The value of a key that is not written: a fresh list for lists, None where there is none."""
    if not row.default:
        return [] if row.kind in LISTS else None
    return read(row, "" if row.default == '""' else row.default)


def _choice(row: Row, text: str) -> str:
    for choice in row.choices:
        if choice.lower() == text.lower():
            return choice
    raise ValueError(f"valid: {', '.join(row.choices)}")


def _text(text: str) -> str | None:
    return None if text.lower() == "(null)" else text


def _weights(text: str) -> str | None:
    tres.parse_weights("" if _text(text) is None else text)
    return _text(text)


def _plugin(text: str) -> str | None:
    return None if text.lower() in ("none", "(null)") or text.lower().endswith("/none") else text


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()] if text.lower() != "(null)" else []


def _upper(text: str) -> str:
    return text.upper()


def _upper_list(text: str) -> list[str]:
    return [word.upper() for word in _list(text)]


def _plugins(text: str) -> list[str]:
    return [word for word in _list(text) if _plugin(word)]


def _int(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        raise ValueError(f"valid: a whole number, not negative, of at most {MAX_DIGITS} digits")
    return int(text)


def _count(text: str) -> int:
    """A number with UNLIMITED as -1."""
    return INFINITE if text.lower() in _UNLIMITED else _int(text)


def _number(text: str) -> int:
    """A count with a binary suffix, as gres.conf's Count."""
    suffix = text[-1:].upper()
    return _int(text[:-1]) << _SCALE[suffix] if suffix in _SCALE else _int(text)


def _seconds(text: str) -> int:
    if text.lower() in _UNLIMITED:
        return INFINITE
    try:
        return _int(text)
    except ValueError:
        raise ValueError("valid: a whole number of seconds, or INFINITE") from None


def _minutes(text: str) -> int:
    if text.lower() in _UNLIMITED:
        return INFINITE
    try:
        return _int(text)
    except ValueError:
        raise ValueError("valid: a whole number of minutes, or UNLIMITED") from None


def _span(text: str) -> int | None:
    return None if text.lower() == "none" else duration.parse(text)


def _portion(text: str) -> str:
    """A percentage, which may be above 100 and have a fraction; as text."""
    whole, _, part = text.rstrip("%").partition(".")
    if len(text) > MAX_DIGITS or not (whole + part).isdecimal() or not text.isascii():
        raise ValueError("valid: a percentage such as 100 or 98.5")
    return text.rstrip("%")


def _age(text: str) -> str:
    """How old something may get, as slurmdbd.conf(5) has it: "12", "12months", "30days", "36hours"; as text, since months are of different
    lengths."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if text[len(number):].lower() not in _AGES or not _int(number):
        raise ValueError("valid: a number of months, or a number with hours, days or months behind it, such as 30days")
    return text


def _mb(text: str) -> int:
    return 0 if text.lower() in _UNLIMITED else size.parse_mb(text)


def _yesno(text: str) -> bool:
    word = text.lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError("valid: YES, NO")


def _level(text: str) -> str:
    word = text.lower()
    if word in LEVELS:
        return word
    if word.isdecimal() and int(word) < len(LEVELS):
        return LEVELS[int(word)]
    raise ValueError(f"valid: {', '.join(LEVELS)}, or a number from 0 to {len(LEVELS) - 1}")


def _port(text: str) -> str:
    """One port or a range of them, as text: "6817", "6817-6820"."""
    low, dash, high = text.partition("-")
    ports = [_int(low), _int(high) if dash else _int(low)]
    if max(ports) > 65535 or ports[0] > ports[1]:
        raise ValueError("valid: a port from 1 to 65535, or a range such as 60001-60010")
    return text


def _ports(text: str) -> str:
    """Ports of a range of nodes, as text: "7000", "[7001-7004]"; checked where they are dealt out."""
    from slurm.notation import hostlist  # here: commands read no such key, and would pay for it
    for word in hostlist.expand(text):
        _port(word)
    return text


def _hosts(text: str) -> str:
    from slurm.notation import hostlist  # here: commands read no such key, and would pay for it
    hostlist.count(text)
    return text


def _job_defaults(text: str) -> str | None:
    from slurm.notation import job_defaults  # here: commands read no such key, and would pay for it
    return job_defaults.parse(text).show() or None


def _cores(text: str) -> str:
    read_cores(text)
    return text


def _share(text: str) -> str:
    word, colon, number = text.upper().partition(":")
    if word not in ("NO", "YES", "FORCE", "EXCLUSIVE") or (colon and (word not in ("YES", "FORCE") or not number.isdecimal())):
        raise ValueError("valid: NO, EXCLUSIVE, YES, YES:COUNT, FORCE, FORCE:COUNT")
    return text.upper()


def read_cores(text: str) -> list[int]:
    """Core numbers of "0-3,8", in order; ValueError says what would be valid."""
    cores: list[int] = []
    for part in _list(text):
        low, dash, high = part.partition("-")
        try:
            first, last = _int(low), _int(high if dash else low)
        except ValueError:
            first, last = 1, 0
        if not first <= last < MAX_CORES:
            raise ValueError(f"valid: core numbers below {MAX_CORES}, such as 0-3,8")
        cores.extend(range(first, last + 1))
    return cores


READERS: dict[str, Callable[[str], Value]] = {
    "text": _text, "weights": _weights, "plugin": _plugin, "plugins": _plugins, "list": _list, "tres": _list, "upper": _upper,
    "uplist": _upper_list,
    "int": _int, "count": _count, "number": _number, "bit": _yesno, "yesno": _yesno, "sec": _seconds, "bare": _seconds,
    "usec": _int, "percent": _int, "portion": _portion, "rate": _int, "min": _minutes, "span": _span, "age": _age, "mb": _mb,
    "level": _level, "port": _port, "ports": _ports,
    "hosts": _hosts, "files": _text, "cores": _cores, "jobdefaults": _job_defaults, "share": _share, "user": _text, "host": _text,
    "live": _text,
}
"""Kind of value (besides "choice", which needs its row) → the function that reads it."""
