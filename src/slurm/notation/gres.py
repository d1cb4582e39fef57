"""Generic resources, `gpu:a100:2,shard:4`: read and shown. Which ones a node has is not known here."""

from collections.abc import Iterable
from typing import NamedTuple

from slurm.notation import commas, hostlist
from slurm.notation.errors import NotationError

_VALID = '"name[:type][:count]" such as "gpu:2" or "gpu:a100:2,shard:4"'
_VALID_GPUS = '"[type:]count" such as "2" or "a100:2,h100:1"'
_SCALES = {"K": 10, "M": 20, "G": 30, "T": 40, "P": 50}


class GresRequest(NamedTuple):
    """`count` units of the resource `name`, of `type` only when that is not ""."""

    name: str
    type: str = ""
    count: int = 1  # type: ignore[assignment]  # hides tuple.count, of no use here

    def show(self) -> str:
        """ "gpu:a100:2", or "gpu:2" without a type."""
        return f"{self.name}:{self.type}:{self.count}" if self.type else f"{self.name}:{self.count}"


def parse(text: str) -> list[GresRequest]:
    """Reads `--gres` and `Gres=`; "none", "(null)" and "" are no resources, a count left out is 1, "2K" is 2048.

    A leading "gres/" or "gres:" and a trailing "(S:0-1)" are accepted, as Slurm prints them. NotationError for anything else.
    """
    if text.strip().lower() in ("", "none", "(null)"):
        return []
    requests = []
    for place, item in _items(text):
        body = _without_note(item)
        word = body.lower()
        body = body[5:] if word.startswith(("gres/", "gres:")) else body
        fields = body.replace("=", ":").split(":")
        name = fields[0]
        if not _is_word(name) or name[0].isdigit():
            raise NotationError(f'"{item}" has no resource name', text=text, position=place, valid=_VALID)
        requests.append(GresRequest(name, *_type_and_count(text, place, item, fields[1:], _VALID)))
    return requests


def parse_gpus(text: str) -> list[GresRequest]:
    """Reads `--gpus`, `--gpus-per-node` …: "2", "a100:2", "a100:2,h100:1"; "gpu:2" and "none" are accepted too."""
    if text.strip().lower() in ("", "none"):
        return []
    requests = []
    for place, item in _items(text):
        body = item[4:] if item.lower().startswith("gpu:") else item
        requests.append(GresRequest("gpu", *_type_and_count(text, place, item, body.split(":"), _VALID_GPUS)))
    return requests


def positive(requests: Iterable[GresRequest]) -> tuple[GresRequest, ...]:
    """Those that ask for something: a count of 0 is a way to say none."""
    return tuple(request for request in requests if request.count)


def show(requests: Iterable[GresRequest], prefix: str = "") -> str:
    """Requests joined by commas, each behind `prefix`: with "gres/" as in TresPerNode=gres/gpu:a100:2."""
    return ",".join(prefix + request.show() for request in requests)


def show_used(name: str, type: str, indices: Iterable[int]) -> str:
    """What is taken of a resource with devices: "gpu:a100:2(IDX:0-1)", "gpu:a100:0(IDX:N/A)" for none."""
    taken = sorted(indices)
    shown = show_indices(taken) if taken else "N/A"
    return f"{GresRequest(name, type, len(taken)).show()}(IDX:{shown})"


def show_indices(indices: Iterable[int]) -> str:
    """Device numbers in rising order: "0-1,3"."""
    shown = hostlist.compress(str(index) for index in sorted(indices))
    return shown.strip("[]")


def _items(text: str) -> list[tuple[int, str]]:
    return [(place, item.strip()) for place, item in commas.pieces(text, "()")]


def _without_note(item: str) -> str:
    return item[: item.index("(")] if item.endswith(")") and "(" in item else item


def _type_and_count(text: str, place: int, item: str, fields: list[str], valid: str) -> tuple[str, int]:
    if not fields:
        return "", 1
    count = _count(fields[-1])
    types = fields if count is None else fields[:-1]
    if len(types) > 1 or not all(map(_is_word, types)):
        raise NotationError(f'"{item}" cannot be read', text=text, position=place, valid=valid)
    return types[0] if types else "", 1 if count is None else count


def _count(field: str) -> int | None:
    """The number with its scale, None where the field is no number."""
    digits, shift = field, 0
    if field and field[-1].upper() in _SCALES:
        digits, shift = field[:-1], _SCALES[field[-1].upper()]
    return int(digits) << shift if digits.isascii() and digits.isdigit() and len(digits) < 16 else None


def _is_word(field: str) -> bool:
    return bool(field) and field[0] != "-" and not set(field) & set(" \t\n,:=()[]")
