"""getopt_long's grammar over a table of options: splits a command line, reads no value.

`-N1`, `-N 1`, `--nodes=1`, `--nodes 1`, `-Hv`, unambiguous beginnings of long names, optional arguments only when attached, `--`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slurm.options.errors import UsageError
from slurm.options.option import Option


class Given:
    """One option as it was written: `text` its argument (None: it takes none), `spelled` such as "-N" or "--nodes"."""

    __slots__ = ("option", "spelled", "text")

    def __init__(self, option: Option, text: str | None, spelled: str) -> None:
        self.option = option
        self.text = text
        self.spelled = spelled

    def __repr__(self) -> str:
        return f"Given({self.spelled}, {self.text!r})"


def parse(argv: Sequence[str], options: Iterable[Option], *, permute: bool = False) -> tuple[list[Given], list[str]]:
    """The options in their order, and the words that are none.

    Stops at the first word that is no option, unless `permute`: then options are found behind such words too, up to `--`.
    UsageError carries getopt_long's sentence.
    """
    table = tuple(options)
    given: list[Given] = []
    rest: list[str] = []
    place = 0
    while place < len(argv):
        word = argv[place]
        place += 1
        if word == "--":
            return given, rest + list(argv[place:])
        if len(word) < 2 or word[0] != "-":
            if not permute:
                return given, list(argv[place - 1 :])
            rest.append(word)
        elif word.startswith("--"):
            place += _long(word, argv[place:], table, given)
        else:
            place += _cluster(word, argv[place:], table, given)
    return given, rest


def _long(word: str, following: Sequence[str], table: tuple[Option, ...], given: list[Given]) -> int:
    """Reads `--name[=text]`; how many of the following words it used up."""
    name, equals, text = word[2:].partition("=")
    option = find(name, table)
    if option is None:
        raise UsageError(f"unrecognized option '{word}'", hints=_suggest(word, table))
    spelled = "--" + option.name
    if equals:
        if not option.allows_argument:
            raise UsageError(f"option '{spelled}' doesn't allow an argument")
        given.append(Given(option, text, spelled))
        return 0
    if option.takes_argument:
        if not following:
            raise UsageError(f"option '{spelled}' requires an argument", hints=[_shape(option)])
        given.append(Given(option, following[0], spelled))
        return 1
    given.append(Given(option, option.optional, spelled))
    return 0


OTHER_SPELLINGS = {
    "tasks-per-node": "ntasks-per-node", "cluster": "clusters", "pack-group": "het-group", "accounts": "account", "partitions": "partition",
    "users": "user", "nodes": "nodelist",
}
"""Long names that Slurm takes and its manual does not list → the option, where a command has it. Source: real commands of 22.05."""


def find(name: str, table: Iterable[Option]) -> Option | None:
    """The option of this long name or unambiguous beginning; UsageError lists the possibilities of an ambiguous one."""
    rows = {option.name: option for option in table}
    spelled = {other: rows[own] for other, own in OTHER_SPELLINGS.items() if own in rows} | rows
    if name in spelled:
        return spelled[name]
    begun = {word: option for word, option in spelled.items() if name and word.startswith(name)}
    candidates = list(dict.fromkeys(begun.values()))
    if len(candidates) > 1:
        names = " ".join(f"'--{word}'" for word in sorted(begun))
        raise UsageError(f"option '--{name}' is ambiguous; possibilities: {names}")
    return candidates[0] if candidates else None


def _cluster(word: str, following: Sequence[str], table: tuple[Option, ...], given: list[Given]) -> int:
    """Reads `-abc` or `-Nvalue`; how many of the following words it used up."""
    for place, letter in enumerate(word[1:], start=1):
        option = next((o for o in table if o.short == letter), None)
        if option is None:
            raise UsageError(f"invalid option -- '{letter}'", hints=_suggest(word, table) if place == 1 else ())
        spelled = "-" + letter
        if not option.allows_argument:
            given.append(Given(option, None, spelled))
            continue
        attached = word[place + 1 :]
        if attached or not option.takes_argument:
            given.append(Given(option, attached or option.optional, spelled))
            return 0
        if not following:
            raise UsageError(f"option requires an argument -- '{letter}'", hints=[_shape(option)])
        given.append(Given(option, following[0], spelled))
        return 1
    return 0


def _shape(option: Option) -> str:
    letter = f"-{option.short} {option.metavar} or " if option.short else ""
    return f"write {letter}--{option.name}={option.metavar}"


def _suggest(word: str, table: tuple[Option, ...]) -> list[str]:
    """The hint "did you mean" for an unknown option; nothing when nothing is close."""
    from slurm.notation.nearest import nearest  # read only when something went wrong

    name, equals, text = word.lstrip("-").partition("=")
    meant = nearest(name, [option.name for option in table]) if len(name) > 1 else None
    return [f"did you mean --{meant}{equals}{text}?"] if meant else []
