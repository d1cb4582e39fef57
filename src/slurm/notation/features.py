"""The constraint language, `intel&gpu`, `[rack1|rack2]`, `[a*2&b*4]`: read to a tree, asked of one node, shown.

What concerns several nodes at once, counts and matching OR, is left in the tree for the scheduler: see `alternatives` and
`counts`.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from slurm.notation.errors import NotationError

_VALID = '"intel&gpu", "intel|amd", "[rack1|rack2]", "graphics*4", "[(knl&flat)*4&haswell*1]"'
_MAX_PIECES = 100
_SPECIAL = "&|,*()[]"


class Feature(NamedTuple):
    """Nodes that have the feature."""

    name: str

    def show(self) -> str:
        """The name."""
        return self.name


class All(NamedTuple):
    """Nodes that satisfy every part."""

    parts: "tuple[Tree, ...]"

    def show(self) -> str:
        """Parts joined by "&"."""
        return "&".join(_inner(part) for part in self.parts)


class Any(NamedTuple):
    """Nodes that satisfy at least one part."""

    parts: "tuple[Tree, ...]"

    def show(self) -> str:
        """Parts joined by "|"."""
        return "|".join(_inner(part) for part in self.parts)


class Counted(NamedTuple):
    """At least `number` of the job's nodes satisfy `part`; the others need not."""

    part: "Tree"
    number: int

    def show(self) -> str:
        """ "gpu*2"."""
        return f"{_inner(self.part)}*{self.number}"


class Matching(NamedTuple):
    """All of the job's nodes satisfy the same one of the options: "[rack1|rack2]"."""

    options: "tuple[Tree, ...]"

    def show(self) -> str:
        """Options in brackets."""
        return "[" + "|".join(_inner(option) for option in self.options) + "]"


class Mixed(NamedTuple):
    """Every one of the job's nodes satisfies one of the parts, each part on at least its number: "[a*2&b*4]"."""

    parts: tuple[Counted, ...]

    def show(self) -> str:
        """Parts in brackets."""
        return "[" + "&".join(part.show() for part in self.parts) + "]"


Tree = Feature | All | Any | Counted | Matching | Mixed


def parse(text: str) -> Tree | None:
    """Reads a constraint; None for "". "&" and "|" are taken from left to right as Slurm does, "," is "&".

    NotationError for anything else, also for a second bracket and for counts in a matching OR. Source: sbatch(1) --constraint.
    """
    stripped = text.strip()
    return _Reader(stripped).read() if stripped else None


def evaluate(tree: Tree, features: AbstractSet[str]) -> bool:
    """Whether a node with these features may take part in the job, as far as one node alone can tell."""
    match tree:
        case Feature(name):
            return name in features
        case All(parts):
            return all(evaluate(part, features) for part in parts)
        case Any(parts) | Matching(parts):
            return any(evaluate(part, features) for part in parts)
        case Mixed(parts):
            return any(evaluate(part.part, features) for part in parts)
        case Counted():
            return True


def names(tree: Tree) -> list[str]:
    """Every feature named, once each, in the order written."""
    found: dict[str, None] = {}

    def visit(part: Tree) -> None:
        match part:
            case Feature(name):
                found[name] = None
            case Counted(inner, _):
                visit(inner)
            case All(parts) | Any(parts) | Matching(parts) | Mixed(parts):
                for inner in parts:
                    visit(inner)

    visit(tree)
    return list(found)


def alternatives(tree: Tree) -> list[Tree]:
    """The constraints of which all of the job's nodes must satisfy the same one; just `tree` where there is no matching OR."""
    match tree:
        case Matching(options):
            return list(options)
        case All(parts):
            for index, part in enumerate(parts):
                if isinstance(part, Matching):
                    return [All((*parts[:index], option, *parts[index + 1 :])) for option in part.options]
    return [tree]


def counts(tree: Tree) -> list[Counted]:
    """The parts that a number of nodes must satisfy; empty where nothing is counted."""
    match tree:
        case Counted():
            return [tree]
        case Mixed(parts):
            return list(parts)
        case All(parts):
            return [counted for part in parts for counted in counts(part)]
    return []


def show(tree: Tree | None) -> str:
    """The constraint as text that reads back to an equal tree; "" for None."""
    return tree.show() if tree is not None else ""


def _inner(tree: Tree) -> str:
    return f"({tree.show()})" if isinstance(tree, All | Any) else tree.show()


class _Reader:
    """One pass over a constraint, left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.bracket_seen = False
        self.pieces = 0

    def read(self) -> Tree:
        tree = self._chain(self._term)
        if self.place < len(self.text):
            raise self._error(f'"{self.text[self.place]}" is not expected here')
        return tree

    def _chain(self, term: Callable[[], Tree]) -> Tree:
        tree = term()
        own: Tree | None = None
        while self._peek() in ("&", "|", ","):
            operator = self._peek()
            place = self.place
            self.place += 1
            right = term()
            if operator == "|" and (counts(tree) or counts(right)):
                raise self._error('a count cannot be joined by "|"', place)
            kind = Any if operator == "|" else All
            parts = tree.parts if tree is own and isinstance(tree, kind) else (tree,)
            tree = own = kind((*parts, right))
        return tree

    def _term(self) -> Tree:
        if self._peek() == "[":
            return self._bracket()
        return self._counted()

    def _counted(self) -> Tree:
        tree = self._atom()
        if self._peek() != "*":
            return tree
        start = self.place + 1
        self.place = start
        while self._peek().isascii() and self._peek().isdigit():
            self.place += 1
        number = self.text[start : self.place]
        if not number or len(number) > 9 or int(number) == 0:
            raise self._error(f'"{number}" is no number of nodes', start)
        return Counted(tree, int(number))

    def _atom(self) -> Tree:
        self.pieces += 1
        if self.pieces > _MAX_PIECES:
            raise self._error(f"more than {_MAX_PIECES} names and parentheses")
        if self._peek() == "(":
            opened = self.place
            self.place += 1
            tree = self._chain(self._atom)
            if self._peek() != ")":
                raise self._error('"(" is never closed', opened)
            self.place += 1
            return tree
        start = self.place
        while self._peek() and self._peek() not in _SPECIAL and not self._peek().isspace():
            self.place += 1
        if start == self.place:
            raise self._error("a feature name is missing")
        return Feature(self.text[start : self.place])

    def _bracket(self) -> Tree:
        opened = self.place
        if self.bracket_seen:
            raise self._error("only one pair of brackets is allowed")
        self.bracket_seen = True
        self.place += 1
        parts = [self._counted()]
        operators = set()
        while self._peek() in ("&", "|", ","):
            operators.add("|" if self._peek() == "|" else "&")
            self.place += 1
            parts.append(self._counted())
        if self._peek() != "]":
            raise self._error('"[" is never closed', opened)
        self.place += 1
        counted = tuple(part for part in parts if isinstance(part, Counted))
        if len(counted) == len(parts) and "|" not in operators:
            return Mixed(counted)
        if counted or "&" in operators:
            raise self._error('brackets hold either options joined by "|" or counted features joined by "&"', opened)
        return Matching(tuple(parts))

    def _peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def _error(self, problem: str, place: int | None = None) -> NotationError:
        return NotationError(problem, text=self.text, position=self.place if place is None else place, valid=_VALID)
