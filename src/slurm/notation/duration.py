"""Lengths of time, `1-02:03:04`: read to seconds and shown in Slurm's two styles. Points in time live in `moment`."""

from slurm.notation.errors import NotationError

INFINITE = -1
_VALID = 'minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds, or "UNLIMITED"'
_UNLIMITED = frozenset({"infinite", "unlimited", "-1"})
_MAX_DIGITS = 9


def parse(text: str) -> int:
    """Seconds that a time limit stands for, exactly; INFINITE for "UNLIMITED", "INFINITE" and "-1".

    A bare number is minutes; "1-" is a day. Anything else raises NotationError. Source: sbatch(1) --time.
    """
    stripped = text.strip()
    if stripped.lower() in _UNLIMITED:
        return INFINITE
    days, dash, clock = stripped.partition("-")
    if not dash:
        days, clock = "", stripped
    fields = clock.split(":")
    if len(fields) > 3:
        raise NotationError("too many colons", text=text, position=_third_colon(text), valid=_VALID)
    if dash and not clock:
        return _number(text, days) * 86400
    numbers = [_number(text, field) for field in fields]
    if dash:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
        return ((_number(text, days) * 24 + hours) * 60 + minutes) * 60 + seconds
    if len(numbers) == 3:
        return (numbers[0] * 60 + numbers[1]) * 60 + numbers[2]
    return numbers[0] * 60 + (numbers[1] if len(numbers) == 2 else 0)


def show(seconds: float) -> str:
    """A length as squeue's %M and %l print it: "0:07", "30:00", "1:00:00", "7-00:00:00", "UNLIMITED", "INVALID"."""
    if seconds == INFINITE:
        return "UNLIMITED"
    if seconds < 0:
        return "INVALID"
    days, hours, minutes, secs = _split(int(seconds))
    if days:
        return f"{days}-{hours:02d}:{minutes:02d}:{secs:02d}"
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def show_clock(seconds: float) -> str:
    """A length as scontrol and sacct print it: "00:10:00", "7-00:00:00", "UNLIMITED", "INVALID"."""
    if seconds == INFINITE:
        return "UNLIMITED"
    if seconds < 0:
        return "INVALID"
    days, hours, minutes, secs = _split(int(seconds))
    clock = f"{hours:02d}:{minutes:02d}:{secs:02d}"
    return f"{days}-{clock}" if days else clock


def _split(seconds: int) -> tuple[int, int, int, int]:
    minutes, secs = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return days, hours, minutes, secs


def _number(text: str, field: str) -> int:
    if not field or len(field) > _MAX_DIGITS or not (field.isascii() and field.isdigit()):
        problem = f'"{field}" is no number' if field else "a number is missing"
        raise NotationError(problem, text=text, position=text.find(field) if field else None, valid=_VALID)
    return int(field)


def _third_colon(text: str) -> int:
    place = -1
    for _ in range(3):
        place = text.index(":", place + 1)
    return place
