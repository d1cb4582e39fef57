"""How often usage is looked at: "30", or "task=30,energy=60,network=0,filesystem=0", as JobAcctGatherFrequency and --acctg-freq have it."""

from slurm.notation.errors import NotationError

KINDS = ("task", "energy", "network", "filesystem")
_VALID = '"30", or some of "task=30,energy=60,network=60,filesystem=60", in seconds; 0: only at the end'
_MOST_DIGITS = 7


def parse(text: str) -> dict[str, int]:
    """Seconds by kind, only those that are given; a number alone is that of tasks. NotationError otherwise.

    Source: slurm.conf(5), sbatch(1).
    """
    found: dict[str, int] = {}
    place = 0
    for item in text.split(","):
        name, equals, seconds = item.strip().partition("=")
        if not equals:
            name, seconds = "task", name
        kind = name.strip().lower()
        if kind not in KINDS or kind in found or not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= _MOST_DIGITS):
            raise NotationError(f'"{item}" is no frequency', text=text, position=place, valid=_VALID)
        found[kind] = int(seconds)
        place += len(item) + 1
    return found


def show(frequencies: dict[str, int]) -> str:
    """As it would be typed: "task=30,energy=60"."""
    return ",".join(f"{kind}={frequencies[kind]}" for kind in KINDS if kind in frequencies)
