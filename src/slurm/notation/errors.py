"""The error every notation raises: the general one of `model.errors`, with the place in the text. No grammar, no printing."""

from slurm.model.errors import NotationError as GeneralNotationError

_LONGEST = 300
"""Characters of what was read that a message repeats."""
_AROUND = 60


class NotationError(GeneralNotationError):
    """A text does not follow its notation.

    `problem` says what is wrong, `text` is what was read, `position` counts characters from 0 (None when the whole text is
    meant) and `valid` says what would be accepted. `message` joins them in one line for people.
    """

    def __init__(self, problem: str, *, text: str = "", position: int | None = None, valid: str = "") -> None:
        self.problem = problem
        self.text = text
        self.position = position
        self.valid = valid
        parts = [problem if len(problem) <= _LONGEST else f"{problem[:_LONGEST]}…"]
        if position is not None:
            parts.append(f' at position {position} of "{_shown(text, position)}"')
        elif text:
            parts.append(f' in "{_shown(text, 0)}"')
        if valid:
            parts.append(f"; valid: {valid}")
        super().__init__("".join(parts))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.problem, self.text, self.position, self.valid)


def _shown(text: str, position: int) -> str:
    """The text, or of a long one what stands around the place that is meant."""
    if len(text) <= _LONGEST:
        return text
    start = max(0, min(position - _AROUND, len(text) - 2 * _AROUND))
    end = start + 2 * _AROUND
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _rebuild(problem: str, text: str, position: int | None, valid: str) -> NotationError:
    return NotationError(problem, text=text, position=position, valid=valid)
