"""Signals by name and number (Linux), and the `--signal=[R][B]:sig[@seconds]` notation. Sending them is slurmd's work."""

from typing import NamedTuple

from slurm.notation.errors import NotationError

NUMBERS: dict[str, int] = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8,
    "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16,
    "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24,
    "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "PWR": 30, "SYS": 31,
}
_NAMES = {number: name for name, number in NUMBERS.items()}
_ALIASES = {"IOT": 6, "CLD": 17, "POLL": 29}
MAX_SIGNAL = 64
DEFAULT_SECONDS = 60
_MAX_SECONDS = 65535
_VALID = "a number from 1 to 64 or a name such as USR1, SIGTERM"


class SignalRequest(NamedTuple):
    """Send `number` when `seconds` are left; `batch`: to the batch shell only; `reservation`: also for an overlap with one."""

    number: int
    seconds: int = DEFAULT_SECONDS
    batch: bool = False
    reservation: bool = False


def parse(text: str) -> int:
    """The number of a signal given as "10", "USR1", "SIGUSR1" or "sigusr1"; NotationError for anything else."""
    word = text.strip().upper()
    if word.isascii() and word.isdigit() and 0 < int(word[:4]) <= MAX_SIGNAL:
        return int(word)
    word = word.removeprefix("SIG")
    number = NUMBERS.get(word) or _ALIASES.get(word)
    if number is None:
        raise NotationError(f'"{text}" is no signal', valid=_VALID)
    return number


def name(number: int) -> str:
    """The name of a signal without SIG, "USR1"; the number itself where Linux has no name for it."""
    return _NAMES.get(number, str(number))


def parse_request(text: str) -> SignalRequest:
    """Reads `--signal`: "[R][B]:sig[@seconds]", 60 seconds when none are given. Source: sbatch(1)."""
    flags, colon, rest = text.strip().partition(":")
    if not colon:
        flags, rest = "", text.strip()
    if colon and (not flags or not set(flags.upper()) <= {"R", "B"}):
        raise NotationError(f'"{flags}" before the colon', text=text, position=0, valid='"B:", "R:" or "RB:"')
    signal_text, at, seconds_text = rest.partition("@")
    if at and not (seconds_text.isascii() and seconds_text.isdigit() and int(seconds_text[:6]) <= _MAX_SECONDS):
        problem = f'"{seconds_text}" is no number of seconds'
        raise NotationError(problem, text=text, position=text.index("@") + 1, valid=f"0 to {_MAX_SECONDS}")
    upper = flags.upper()
    return SignalRequest(parse(signal_text), int(seconds_text) if at else DEFAULT_SECONDS, "B" in upper, "R" in upper)


def show_request(request: SignalRequest) -> str:
    """The request as it would be typed: "B:USR1@300"."""
    flags = ("R" if request.reservation else "") + ("B" if request.batch else "")
    return f"{flags}:{name(request.number)}@{request.seconds}" if flags else f"{name(request.number)}@{request.seconds}"
