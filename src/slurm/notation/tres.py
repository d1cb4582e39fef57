"""Trackable resources, `cpu=4,mem=2000M,node=1,billing=4,gres/gpu=2`: order, reading, showing. Memory is MB."""

from collections.abc import Mapping

from slurm.notation import size
from slurm.notation.errors import NotationError

ORDER = ("cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages")
_RANK = {name: rank for rank, name in enumerate(ORDER)}
_IN_MB = frozenset({"mem", "vmem", "bb"})
_UNITS = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}
_VALID = '"cpu=4,mem=2000M,node=1,gres/gpu=2"'


def parse(text: str) -> dict[str, int]:
    """Amounts by name, memory in MB; names keep the order written. "" and "(null)" are empty. NotationError otherwise."""
    amounts: dict[str, int] = {}
    if text.strip() in ("", "(null)"):
        return amounts
    place = 0
    for item in text.split(","):
        name, equals, amount = item.strip().partition("=")
        key = name.lower()
        if not equals or not key:
            raise NotationError(f'"{item}" is no name=amount', text=text, position=place, valid=_VALID)
        if key in amounts:
            raise NotationError(f'"{name}" is given twice', text=text, position=place, valid=_VALID)
        amounts[key if not key.startswith("gres/") else "gres/" + name[5:]] = _amount(text, place + len(name) + 1, key, amount)
        place += len(item) + 1
    return amounts


def parse_each(text: str) -> dict[str, int]:
    """Reads what a task gets, `cpu:1,gres/gpu:a100:2`: a colon before the amount, or an equals sign; a resource alone is 1.

    Source: srun(1), --tres-per-task.
    """
    items = []
    for item in (piece.strip() for piece in text.split(",")):
        if "=" not in item:
            name, colon, amount = item.rpartition(":")
            item = f"{name}={amount}" if colon and amount[:1].isdigit() else f"{item}=1"
        items.append(item)
    return parse(",".join(items))


def parse_weights(text: str) -> dict[str, float]:
    """Weights by TRES name, `CPU=1.0,Mem=0.25G,GRES/gpu=2.0`; that of memory is for each MB unless a unit stands behind it.

    NotationError otherwise.
    """
    weights: dict[str, float] = {}
    for item in (piece.strip() for piece in text.split(",") if piece.strip()):
        name, equals, amount = item.partition("=")
        key = name.lower() if not name.lower().startswith(("gres/", "license/")) else name.partition("/")[0].lower() + "/" + name.partition(
            "/")[2]
        unit = amount[-1:].upper() if amount[-1:].upper() in _UNITS and key in _IN_MB else ""
        try:
            weight = float(amount[: len(amount) - len(unit)])
        except ValueError:
            weight = -1.0
        if not equals or not key or not 0.0 <= weight < 1e15:
            raise NotationError(f'"{item}" is no name=weight', text=text, position=text.find(item),
                valid='"CPU=1.0,Mem=0.25G,GRES/gpu=2.0"')
        weights[key] = weight / _UNITS[unit or "M"]
    return weights


def show(amounts: Mapping[str, int], *, convert: bool = True, alphabetical: bool = False) -> str:
    """Amounts above 0 in Slurm's order: cpu, mem, energy, node, billing, fs/disk, vmem, pages, then gres by name.

    `alphabetical` is sacct's order; `convert=False` leaves memory in M.
    """
    names = sorted(amounts) if alphabetical else sorted(amounts, key=_order)
    return ",".join(f"{name}={_show_amount(name, amounts[name], convert)}" for name in names if amounts[name] > 0)


def _order(name: str) -> tuple[int, str]:
    return _RANK.get(name, len(ORDER)), name


def _show_amount(name: str, amount: int, convert: bool) -> str:
    return size.show_mb(amount, convert=convert) if name in _IN_MB else str(amount)


def _amount(text: str, place: int, name: str, amount: str) -> int:
    if name in _IN_MB:
        return _mb(text, place, amount)
    if not (amount.isascii() and amount.isdigit() and len(amount) < 19):
        raise NotationError(f'"{amount}" is no whole number', text=text, position=place, valid=_VALID)
    return int(amount)


def _mb(text: str, place: int, amount: str) -> int:
    """Slurm prints halves such as 62.50G, which it does not accept in requests."""
    whole, point, rest = amount.partition(".")
    if not point:
        return size.parse_mb(amount)
    digits = rest.rstrip("KMGTPkmgtp")
    unit = rest[len(digits) :]
    if not (digits.isascii() and digits.isdigit() and unit):
        raise NotationError(f'"{amount}" is no amount of memory', text=text, position=place, valid=_VALID)
    hundredths = int(whole or 0) * 100 + round(float(f"0.{digits}") * 100)
    return size.parse_mb(f"{hundredths}{unit}") // 100
