"""Node counts as `--nodes` writes them, `4`, `2-8`, `1k`, `1,5,9-13`. How many nodes exist is not known here."""

from typing import NamedTuple

from slurm.notation.errors import NotationError

_SCALES = {"k": 1024, "m": 1024 * 1024}
_MAX_LISTED = 100_000
_VALID = 'a number, a range such as "2-8", or sizes such as "1,5,9-13" or "4-12:4"'


class NodeCount(NamedTuple):
    """At least `low` and at most `high` nodes; `sizes` are the only counts allowed, empty when every one between is."""

    low: int
    high: int
    sizes: tuple[int, ...] = ()

    def show(self) -> str:
        """ "4", "2-8" or "1,5,9,10"."""
        if self.sizes:
            return ",".join(map(str, self.sizes))
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


def parse(text: str) -> NodeCount:
    """Reads `--nodes`; "k" and "m" multiply by 1024. Zero, backward ranges and anything else raise NotationError.

    Source: sbatch(1).
    """
    stripped = text.strip()
    sizes: set[int] = set()
    place = 0
    pieces = stripped.split(",")
    low = high = 0
    for piece in pieces:
        span, colon, step_text = piece.partition(":")
        low_text, dash, high_text = span.partition("-")
        low = _number(stripped, place, low_text)
        high = _number(stripped, place, high_text) if dash else low
        if high < low:
            raise NotationError(f'range "{piece}" runs backwards', text=stripped, position=place, valid=f'"{high_text}-{low_text}"')
        step = _number(stripped, place, step_text) if colon else 1
        if len(pieces) > 1 or colon:
            if high > _MAX_LISTED:
                raise NotationError(f"{high} nodes in a list of sizes", text=stripped, position=place, valid=f"sizes up to {_MAX_LISTED}")
            sizes.update(range(low, high + 1, step))
        place += len(piece) + 1
    return NodeCount(min(sizes), max(sizes), tuple(sorted(sizes))) if sizes else NodeCount(low, high)


def _number(text: str, place: int, digits: str) -> int:
    scale = _SCALES.get(digits[-1:].lower(), 1)
    number = digits[:-1] if scale > 1 else digits
    if not (number.isascii() and number.isdigit() and len(number) < 8) or int(number) == 0:
        raise NotationError(f'"{digits}" is no number of nodes', text=text, position=place, valid=_VALID)
    return int(number) * scale
