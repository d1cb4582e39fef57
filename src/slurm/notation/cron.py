"""When a scrontab entry repeats, `*/5 8-17 * * mon-fri` or `@daily`: read to sets of minutes, hours, days.

The next such moment is in `cron_times`.
"""

from __future__ import annotations

from slurm.notation.errors import NotationError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()), ("hour", 0, 23, ()), ("day of month", 1, 31, ()), ("month", 1, 12, _MONTHS), ("day of week", 0, 7, _WEEKDAYS))
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
WORDS: dict[str, str] = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *", "@hourly": "0 * * * *", "@elevenses": "0 11 * * *", "@noon": "0 12 * * *", "@fika": "0 15 * * *",
    "@teatime": "0 16 * * *",
}
"""The shortcuts, and what each stands for."""


LONGEST = 128
"""Characters of a specification that is taken."""
PARTS_MOST = 60
"""So many parts with commas between them a field may have: each minute of an hour."""


class Cron:
    """The minutes, hours, days of the month, months and weekdays (0: Sunday) at which something happens.

    `any_day`, `any_weekday`: that field was `*`. Where neither was, one of the two is enough, as cron has it.
    """

    __slots__ = ("any_day", "any_weekday", "days", "hours", "minutes", "months", "weekdays")

    def __init__(self, fields: list[frozenset[int]], any_day: bool, any_weekday: bool) -> None:
        self.minutes, self.hours, self.days, self.months = fields[:4]
        self.weekdays = frozenset(day % 7 for day in fields[4])
        self.any_day = any_day
        self.any_weekday = any_weekday


def split(line: str) -> tuple[str, str]:
    """The specification at the beginning of a crontab line and the command behind it. NotationError where one of them is missing."""
    text = line.strip()
    if text.startswith("@"):
        words = text.split(None, 1)
        spec, command = words[0].lower(), words[1] if len(words) > 1 else ""
    else:
        words = text.split(None, 5)
        spec, command = " ".join(words[:5]), words[5] if len(words) > 5 else ""
    require_short(spec)
    parse(spec)
    if not command.strip():
        raise NotationError(f"there is no command behind {spec}")
    return spec, command.strip()


def require_short(spec: str) -> None:
    """NotationError for a specification that is longer than any that is needed: asked of what comes from users, before `parse`."""
    if len(spec) > LONGEST:
        raise NotationError(f"the time has {len(spec)} characters; at most {LONGEST} are taken: write ranges and steps, such as 0-58/2")
    for word, of in zip(spec.split(), _FIELDS, strict=False):
        parts = word.count(",") + 1
        if parts > PARTS_MOST:
            raise NotationError(f"{of[0]} has {parts} parts; at most {PARTS_MOST} are taken")


def parse(spec: str) -> Cron:
    """Read a specification: five fields parted by blanks, or one of WORDS.

    NotationError says which part is wrong, and what would be valid.
    """
    text = spec.strip()
    if text.startswith("@"):
        if text.lower() not in WORDS:
            raise NotationError(f"{text} is not known; there are {', '.join(WORDS)}")
        text = WORDS[text.lower()]
    words = text.split()
    if len(words) != len(_FIELDS):
        raise NotationError(f'"{spec}" has {len(words)} fields; minute, hour, day of month, month and day of week are wanted, or a word '
                            'such as @daily')
    fields = [_field(word, *of) for word, of in zip(words, _FIELDS, strict=True)]
    found = Cron(fields, words[2].startswith("*"), words[4].startswith("*"))
    if found.any_weekday and min(found.days) > max(_LONGEST_MONTHS[month - 1] for month in found.months):
        raise NotationError(f'"{spec}" never comes: no such month has a day {min(found.days)}')
    return found


def _field(word: str, name: str, least: int, most: int, names: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, part, ()) if slash else 1
        if step < 1:
            raise NotationError(f"{name} {part}: the step must be 1 or more")
        if span == "*":
            first, last = least, most - (name == "day of week")
        else:
            first_text, dash, last_text = span.partition("-")
            first = _number(first_text, name, part, names)
            last = _number(last_text, name, part, names) if dash else first
            if slash and not dash:
                raise NotationError(f"{name} {part}: a step goes with * or a range, such as */{step} or {first}-{most}/{step}")
            if dash and last <= first:
                raise NotationError(f"{name} {part}: the second number of a range must be greater than the first")
        for number in (first, last):
            if not least <= number <= most:
                raise NotationError(f"{name} {part}: {number} is not within {least}-{most}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, name: str, part: str, names: tuple[str, ...]) -> int:
    if text.isascii() and text.isdigit() and len(text) < 4:
        return int(text)
    short = text.lower()
    if short in names:
        return names.index(short) + (1 if names is _MONTHS else 0)
    valid = f"a number or one of {', '.join(names)}" if names else "a number"
    raise NotationError(f'{name} {part or "(empty)"}: "{text}" is not {valid}')
