"""Asking: the keys of `scontrol create|update reservation`, and what each makes of a reservation's record. The table is KEYS.

Not here: which nodes it gets (`choosing`), what must hold of the whole (`making`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from slurm.core import resolving
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotationError, Unsupported
from slurm.model.reservation import FLAGS, PURGE_SECONDS, SHOWN, Reservation
from slurm.notation import duration, features, moment
from slurm.notation.nearest import nearest

YEAR = 365 * 86400
"""How long a reservation of UNLIMITED duration is, as in Slurm."""
COUNT_DIGITS = 9


class Directory(Protocol):
    """Which users and groups there are."""

    def user(self, text: str) -> str | None:
        """The login name of a name or uid, None when there is no such user."""
        ...

    def members(self, group: str) -> list[str] | None:
        """The users of a group, None when there is no such group."""
        ...


@dataclass
class Draft:
    """A reservation as it is being put together. `nodes` is None where none were named, `counts` are cores by node."""

    state: ClusterState
    directory: Directory
    now: float
    record: Reservation
    creating: bool
    start: float | None = None
    end: float | None = None
    length: int | None = None
    longer: int = 0  # Duration+= and -=
    nodes: str | None = None
    counts: list[int] = field(default_factory=list)
    skip: bool = False
    given: set[str] = field(default_factory=set)

    def refusal(self, message: str, *hints: str, preface: tuple[str, ...] = ()) -> InvalidRequest:
        """An error in what was written, in the words of scontrol."""
        done = "No reservation created." if self.creating else "No reservation update."
        return InvalidRequest("ESLURM_INVALID_OPTION", f"{message}  {done}", hints=hints, preface=preface)


Reader = Callable[[Draft, "Word"], None]


class Word(NamedTuple):
    """One `KEY=text`, as it was written; `sign` of += and -=."""

    key: str
    sign: str
    text: str

    @property
    def written(self) -> str:
        """As scontrol quotes it."""
        return f"{self.key}{self.sign}={self.text}"


class Key(NamedTuple):
    """A key with its other spellings; `signs`: whether += and -= may be written."""

    name: str
    read: Reader
    others: tuple[str, ...] = ()
    signs: bool = False


def read(draft: Draft, key: str, text: str) -> None:
    """Take one key over; InvalidRequest in scontrol's words."""
    bare = key.rstrip("+-")
    word = Word(bare, key[len(bare):][:1], text.strip())
    row = _row(bare)
    if row is None:
        names = [one.name for one in KEYS]
        meant = nearest(bare, names)
        raise draft.refusal(f"Unknown parameter {word.written}.", *([f'did you mean "{meant}"?'] if meant else []),
            f"valid: {', '.join(names)}")
    if word.sign and not (row.signs or (row.name == "Duration" and not draft.creating)):
        raise draft.refusal(f"The +=/-= notation is not supported when updating {row.name.lower()}.")
    row.read(draft, word)
    draft.given.add(row.name)


def _row(key: str) -> Key | None:
    lowered = key.lower()
    for row in KEYS:
        if lowered in (row.name.lower(), *row.others):
            return row
    found = [row for row in KEYS if len(lowered) >= 3 and row.name.lower().startswith(lowered)]
    return found[0] if found else None


def _moment(draft: Draft, word: Word, what: str) -> float:
    try:
        return moment.parse(word.text, draft.now)
    except NotationError as error:
        first, *rest = error.lines()
        raise draft.refusal(f"Invalid {what} time {word.written}.", *rest, preface=(first,)) from error


def _start(draft: Draft, word: Word) -> None:
    draft.start = _moment(draft, word, "start")


def _end(draft: Draft, word: Word) -> None:
    draft.end = _moment(draft, word, "end")


def _length(draft: Draft, word: Word) -> None:
    try:
        seconds = duration.parse(word.text)
    except NotationError as error:
        raise draft.refusal(f"Invalid duration {word.written}.", error.message) from error
    whole = YEAR if seconds < 0 else -(-seconds // 60) * 60
    if word.sign:
        draft.longer = whole if word.sign == "+" else -whole
    else:
        draft.length = whole


def _delay(draft: Draft, word: Word) -> None:
    try:
        draft.record.max_start_delay = max(0, -(-duration.parse(word.text) // 60) * 60) if word.text else 0
    except NotationError as error:
        raise draft.refusal(f"Invalid MaxStartDelay {word.written}.", error.message) from error


def _nodes(draft: Draft, word: Word) -> None:
    draft.nodes = word.text


def _count(draft: Draft, word: Word, text: str) -> int:
    digits, thousands = (text[:-1], 1024) if text[-1:].lower() == "k" else (text, 1)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= COUNT_DIGITS):
        raise draft.refusal(f"Invalid {'node' if word.key.lower().startswith('node') else 'core'} count {word.text}.",
            "write a whole number, as 4 or 1k")
    return int(digits) * thousands


def _node_count(draft: Draft, word: Word) -> None:
    draft.record.node_count = sum(_count(draft, word, text) for text in word.text.split(","))


def _core_count(draft: Draft, word: Word) -> None:
    draft.counts = [_count(draft, word, text) for text in word.text.split(",")]
    draft.record.core_count = sum(draft.counts)


def _tres(draft: Draft, word: Word) -> None:
    """cpu=4,node=2; several numbers behind cpu= are one for each node."""
    items: list[list[str]] = []
    for piece in word.text.split(","):
        if "=" in piece or not items:
            items.append([piece])
        else:
            items[-1].append(piece)
    for first, *more in items:
        name, _, amount = first.partition("=")
        if name.lower() == "cpu":
            _core_count(draft, Word("CoreCnt", "", ",".join([amount, *more])))
            draft.given.add("CPUs")
        elif name.lower() == "node":
            _node_count(draft, Word("NodeCnt", "", amount))
        elif name.lower().startswith(("license/", "bb/")):
            raise _later(f"TRES={name}")
        else:
            raise draft.refusal(f"TRES type '{name}' is not supported.", "valid: cpu=NUMBER, node=NUMBER")


def _later(what: str) -> Unsupported:
    return Unsupported(message=f"{what} of a reservation is not supported by slurm-py yet")


def _refused(draft: Draft, word: Word) -> None:
    raise _later(f"{word.key}={word.text}")


def _partition(draft: Draft, word: Word) -> None:
    if word.text and word.text not in draft.state.partitions:
        raise InvalidRequest("ESLURM_INVALID_PARTITION_NAME", hints=[
            *resolving.meant(word.text, draft.state.partitions), f"partitions of this cluster: {', '.join(draft.state.partitions)}"])
    draft.record.partition = word.text


def _features(draft: Draft, word: Word) -> None:
    if word.text:
        try:
            tree = features.parse(word.text)
        except NotationError as error:
            raise InvalidRequest("ESLURM_INVALID_FEATURE", hints=[error.message]) from error
        known = {one for node in draft.state.nodes.values() for one in node.features}
        for name in features.names(tree) if tree is not None else ():
            if name not in known:
                raise InvalidRequest("ESLURM_INVALID_FEATURE", hints=[f'no node has the feature "{name}"', *resolving.meant(name, known)])
    draft.record.features = word.text


def _flags(draft: Draft, word: Word) -> None:
    found = set(draft.record.flags)
    for text in (piece.strip() for piece in word.text.split(",") if piece.strip()):
        name, _, amount = text.partition("=")
        bare, taken = (name[1:], True) if name[:1] == "-" else (name.removeprefix("+"), word.sign == "-")
        if bare.upper() == "SKIP" and not draft.creating:
            draft.skip = True
            continue
        flag = next((one for one in FLAGS if one.asked and bare.upper() in one.words), None)
        if flag is None or (taken and not flag.removable) or (amount and flag.shown != "PURGE_COMP"):
            words = [one for each in FLAGS if each.asked for one in each.words]
            raise draft.refusal(f"Error parsing flags {word.text}.", *resolving.meant(bare.upper(), words), *(
                [f"{flag.shown} cannot be taken away"] if flag is not None and taken else [f"valid: {','.join(words)}"]))
        (found.discard if taken else found.add)(flag.shown)
        if flag.shown == "PURGE_COMP":
            draft.record.purge_after = 0 if taken else _purge(draft, word, amount)
    draft.record.flags = [name for name in SHOWN if name in found]


def _purge(draft: Draft, word: Word, amount: str) -> int:
    if not amount:
        return PURGE_SECONDS
    try:
        seconds = duration.parse(amount)
    except NotationError as error:
        raise draft.refusal(f"Error parsing flags {word.text}.", error.message) from error
    if seconds < 0:
        raise draft.refusal(f"Error parsing flags {word.text}.", "PURGE_COMP= takes a time that ends")
    return -(-seconds // 60) * 60


def _skip(draft: Draft, word: Word) -> None:
    if draft.creating:
        raise draft.refusal(f"Unknown parameter {word.written}.")
    draft.skip = True


def _comment(draft: Draft, word: Word) -> None:
    draft.record.comment = word.text


def _people(what: str, error: str) -> Reader:
    """A list of who may use it, or with "-" before each name, who may not."""
    def reader(draft: Draft, word: Word) -> None:
        names = [name.strip() for name in word.text.split(",") if name.strip()]
        bare = [name.removeprefix("-").removeprefix("+") for name in names]
        minus = {name.startswith("-") for name in names}
        if len(minus) > 1:
            raise InvalidRequest(error, hints=[f"{what}: either who may use it, or with - before each name who may not"])
        known = [_known(draft, what, name, error) for name in bare]
        record, denied = draft.record, draft.record.denied
        before: list[str] = getattr(record, what)
        if word.sign and not draft.creating:
            if word.sign == "+":
                after = [*before, *(name for name in known if name not in before)]
            else:
                absent = [name for name in known if name not in before]
                if absent:
                    raise InvalidRequest(error, hints=[f"{what} does not name {', '.join(absent)}: {', '.join(before) or 'nobody'}"])
                after = [name for name in before if name not in known]
        else:
            after = list(dict.fromkeys(known))
            denying = True in minus or word.sign == "-"
            if denying and what == "groups":
                raise InvalidRequest(error, hints=["groups cannot be denied access, only users and accounts"])
            record.denied = [one for one in denied if one != what] + [what] * denying
        setattr(record, what, after)
        if not after:
            record.denied = [one for one in record.denied if one != what]

    return reader


def _known(draft: Draft, what: str, name: str, error: str) -> str:
    if what == "users":
        found = draft.directory.user(name)
        if found is None:
            raise InvalidRequest(error, hints=[f'there is no user "{name}" on the controller\'s machine'])
        return found
    if what == "groups":
        if draft.directory.members(name) is None:
            raise InvalidRequest(error, hints=[f'there is no group "{name}" on the controller\'s machine'])
        return name
    book = draft.state.policy.book
    if not draft.state.policy.known:
        return name.lower()
    names = [one.name for one in (book.accounts if what == "accounts" else book.qos).values()]
    if name.lower() not in {one.lower() for one in names}:
        raise InvalidRequest(error, hints=[f'there is no {"account" if what == "accounts" else "QOS"} "{name}"',
            *resolving.meant(name, names)])
    return name.lower()


KEYS: tuple[Key, ...] = (
    Key("ReservationName", lambda draft, word: None, ("reservation",)),
    Key("Accounts", _people("accounts", "ESLURM_INVALID_ACCOUNT"), ("account",), signs=True),
    Key("AllowedPartitions", _refused, ("allowedpartition",)),
    Key("BurstBuffer", _refused),
    Key("Comment", _comment),
    Key("CoreCnt", _core_count, ("corecount",)),
    Key("Duration", _length),
    Key("EndTime", _end),
    Key("Features", _features, ("feature",)),
    Key("Flags", _flags, ("flag",), signs=True),
    Key("Groups", _people("groups", "ESLURM_GROUP_ID_MISSING"), ("group",), signs=True),
    Key("Licenses", _refused, ("license",)),
    Key("MaxStartDelay", _delay),
    Key("NodeCnt", _node_count, ("nodecount",)),
    Key("Nodes", _nodes, ("nodelist", "nodename")),
    Key("PartitionName", _partition, ("partition",)),
    Key("QOS", _people("qos", "ESLURM_INVALID_QOS"), signs=True),
    Key("Skip", _skip),
    Key("StartTime", _start),
    Key("TRES", _tres),
    Key("Users", _people("users", "ESLURM_USER_ID_MISSING"), ("user",), signs=True),
)
"""What may be written of a reservation."""
