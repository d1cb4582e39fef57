"""Licences, `matlab:4,ansys` or `matlab:4|octave`: read and shown. How many there are of each is not known here."""

from __future__ import annotations

from functools import lru_cache

from slurm.notation.errors import NotationError

Choice = tuple[tuple[str, int], ...]
_VALID = ('"name[:count]", several that are all wanted with "," between, or several of which one will do with "|": "matlab:4,ansys", '
          '"matlab:4|octave"')
MOST = 2**31 - 1


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Choice, ...]:
    """Reads --licenses as the ways in which it can be met, each of which names (licence, count) in the order written; () for "" and
    "(null)".

    "," and ";" join what is wanted together, "|" parts what will do instead; both at once are refused, as is a name twice. NotationError.
    """
    text = text.strip()
    if text.lower() in ("", "(null)"):
        return ()
    if "|" in text:
        if "," in text or ";" in text:
            raise NotationError('"|" and "," do not go together', text=text, valid=_VALID)
        return tuple((_one(part, text),) for part in text.split("|"))
    found = tuple(_one(part, text) for part in text.replace(";", ",").split(","))
    if len({name for name, _ in found}) < len(found):
        raise NotationError("a licence is named twice", text=text, valid=_VALID)
    return (found,)


def parse_totals(text: str) -> dict[str, int]:
    """Reads Licenses= of slurm.conf, name → count. NotationError."""
    if "|" in text:
        raise NotationError('"|" says nothing here', text=text, valid='"name[:count],..." such as "matlab:10,ansys"')
    found = parse(text)
    return dict(found[0]) if found else {}


def names(text: str) -> frozenset[str]:
    """The licences that a request names in any way; none of a text that is no request."""
    try:
        return frozenset(name for choice in parse(text) for name, _ in choice)
    except NotationError:
        return frozenset()


def show(counts: dict[str, int]) -> str:
    """ "matlab:4,ansys:1", "" for none."""
    return ",".join(f"{name}:{count}" for name, count in counts.items())


def _one(part: str, text: str) -> tuple[str, int]:
    name, colon, count = part.strip().partition(":")
    # "name*count" is how Slurm's oldest versions wrote it
    if not colon:
        name, colon, count = name.partition("*")
    if not name or not all(char.isalnum() or char in "_-.@/" for char in name) or (colon
            and not (count.isascii() and count.isdigit() and len(count) <= 10)):
        raise NotationError(f'"{part}" is no licence', text=text, valid=_VALID)
    number = int(count) if colon else 1
    if number > MOST:
        raise NotationError(f'"{part}" is too many', text=text, valid=_VALID)
    return name, number
