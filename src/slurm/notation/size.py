"""Amounts of memory, `64G`: read to MB and shown as Slurm does. Here M is 2**20 bytes and all else follows from it."""

from slurm.notation.errors import NotationError

_UNITS = "KMGTP"
_VALID = "a whole number with K, M (the default), G or T"


def parse_mb(text: str) -> int:
    """Megabytes that a memory size stands for; kilobytes are rounded up to whole megabytes.

    A bare number is MB; units are K, M, G, T in either case, a trailing "B" allowed. Anything else raises NotationError.
    """
    number, power = _read(text, "M")
    shift = 10 * (power - 2)
    return number << shift if shift >= 0 else -(-number >> -shift)


def parse_bytes(text: str, default_unit: str = "B") -> int:
    """Bytes that a size stands for; `default_unit` ("B", "K", "M" …) is the unit of a bare number."""
    number, power = _read(text, default_unit)
    return int(number << (10 * power))


def show_mb(mb: int, *, convert: bool = True) -> str:
    """A memory size as Slurm prints it: "500M", "16G", "62.50G", "4500M".

    A larger unit is taken only when the size is a whole number of its halves, so nothing is rounded away. `convert=False` is
    squeue's --noconvert: always M.
    """
    return show_scaled(mb, "M", convert=convert)


def show_scaled(number: int, unit: str, *, convert: bool = True) -> str:
    """A number of `unit` ("" for bytes or plain counts, "K", "M" …) in the largest unit that shows it exactly."""
    ladder = (unit, *_UNITS[_UNITS.index(unit) + 1 if unit else 0 :])
    step = 0
    scale = 1
    while convert and step + 1 < len(ladder) and number >= 1024 * scale and number % (512 * scale) == 0:
        scale *= 1024
        step += 1
    whole, rest = divmod(number, scale)
    return f"{whole}{ladder[step]}" if rest == 0 else f"{number / scale:.2f}{ladder[step]}"


def _read(text: str, default_unit: str) -> tuple[int, int]:
    """The number and the power of 1024 bytes that its unit stands for."""
    stripped = text.strip().upper()
    digits = stripped.rstrip("BGKMT")
    unit = stripped[len(digits) :] or default_unit
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise NotationError("not a memory size", text=text, valid=_VALID)
    if unit == "B":
        return int(digits), 0
    if unit[0] not in _UNITS or unit[1:] not in ("", "B"):
        raise NotationError(f'"{unit}" is no unit', text=text, position=len(digits), valid=_VALID)
    return int(digits), _UNITS.index(unit[0]) + 1
