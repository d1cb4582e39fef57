"""The error every notation raises: the general one of `model.errors`, with the place in the text. No grammar, no printing."""

from slurm.model.errors import NotationError as GeneralNotationError


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
        parts = [problem]
        if position is not None:
            parts.append(f' at position {position} of "{text}"')
        elif text:
            parts.append(f' in "{text}"')
        if valid:
            parts.append(f"; valid: {valid}")
        super().__init__("".join(parts))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.problem, self.text, self.position, self.valid)


def _rebuild(problem: str, text: str, position: int | None, valid: str) -> NotationError:
    return NotationError(problem, text=text, position=position, valid=valid)
