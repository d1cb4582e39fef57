"""What the tasks of one node share: keys and values, the fence at which all nodes exchange them, and attributes of the node. Pure.

Values are seen by everybody after the fence that follows their being put. What a node gives at a fence, and what all gave, are bytes for
whoever carries them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from slurm.slurmd.stepd.mpi.layout import Layout, process_mapping
from slurm.slurmd.stepd.mpi.notation import Malformed

LONGEST_KEY = 64
LONGEST_VALUE = 1024
LONGEST_NAME = 256
PAIR_BYTES = 128
"""What a key and its value take in memory beside their letters."""
MOST_BYTES = 16 << 20
"""Of keys and values of one step, as they are exchanged, with PAIR_BYTES for each pair: so many pairs at most, too."""
MOST_WAITING = 4_096
_LENGTH = struct.Struct("!I")
_DECODER = json.JSONDecoder()
_DAMAGED = "what a node gave at a fence is damaged"


class Refused(ValueError):
    """What was asked for cannot be done; the task is told so and goes on."""


class Facts(NamedTuple):
    """What a step's tasks may ask about it."""

    name: str  # of the key-value space, and of the job for PMI-2
    layout: Layout
    local: Collection[int]  # the ranks here


class Group:
    """`exchange(bytes)` gives what this node has for a fence: `exchanged` must follow, with what all nodes gave.

    `abort(rank, code, why)`: end the step.
    """

    def __init__(self, facts: Facts, exchange: Callable[[bytes], None], abort: Callable[[int, int, str], None]) -> None:
        self.facts = facts
        self.abort = abort
        self.attributes: dict[str, str] = {}  # of this node
        self._exchange = exchange
        self._values: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._bytes = 0  # of values and own values
        self._attribute_bytes = 0
        self._arrived: dict[int, Callable[[], None]] = {}
        self._waiting: list[tuple[str, Callable[[str], None]]] = []
        mapping = process_mapping(facts.layout)
        self._given = {"PMI_process_mapping": mapping} if mapping else {}

    @property
    def size(self) -> int:
        """Ranks of the step."""
        return self.facts.layout.size

    def put(self, key: str, value: str) -> None:
        """Put a value for the next fence. Refused."""
        if not key or len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise Refused(f"a key has at most {LONGEST_KEY} characters, a value {LONGEST_VALUE}")
        self._bytes = self._grown(self._bytes, _weight(key, value))
        self._own[key] = value

    def find(self, key: str) -> str | None:
        """The value of a key; None when nobody put it."""
        return self._given.get(key, self._values.get(key, self._own.get(key)))

    def arrive(self, rank: int, go_on: Callable[[], None]) -> None:
        """A task is at the fence; `go_on` is called once all of the step are. Malformed when it is there already."""
        if rank in self._arrived:
            raise Malformed("it is at the barrier already")
        self._arrived[rank] = go_on
        if len(self._arrived) == len(self.facts.local):
            body = json.dumps(self._own).encode()
            self._exchange(_LENGTH.pack(len(body)) + body)

    def exchanged(self, everything: bytes) -> None:
        """All tasks of all nodes are at the fence, and this is what they gave, one node after the other.

        ValueError when that is damaged.
        """
        if len(self._arrived) != len(self.facts.local):
            raise ValueError("values came for a fence at which not all tasks are")
        self._own.clear()
        self._bytes = sum(_weight(key, value) for key, value in self._values.items())
        for part in parts(everything):
            for key, value in _pairs(part):
                former = self._values.get(key)
                held = self._bytes - (_weight(key, former) if former is not None else 0)
                self._bytes = self._grown(held, _weight(key, value))
                self._values[key] = value
        arrived, self._arrived = self._arrived, {}
        for go_on in arrived.values():
            go_on()

    def put_attribute(self, key: str, value: str) -> None:
        """Put an attribute of the node, which only its tasks see; who waits for it gets it. Refused."""
        if not key or len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise Refused(f"a key has at most {LONGEST_KEY} characters, a value {LONGEST_VALUE}")
        self._attribute_bytes = self._grown(self._attribute_bytes, _weight(key, value))
        self.attributes[key] = value
        for wanted, tell in [one for one in self._waiting if one[0] == key]:
            self._waiting.remove((wanted, tell))
            tell(value)

    def await_attribute(self, key: str, tell: Callable[[str], None]) -> None:
        """Have `tell` called once a task of the node puts this attribute. Malformed when more wait than any program has threads, or when
        no attribute has such a name."""
        if not key or len(key) > LONGEST_KEY:
            raise Malformed(f"a key has at most {LONGEST_KEY} characters")
        if len(self._waiting) >= MOST_WAITING:
            raise Malformed(f"more than {MOST_WAITING} requests that wait for attributes of the node")
        self._waiting.append((key, tell))

    def _grown(self, held: int, count: int) -> int:
        """So many bytes and these. Refused."""
        if held + count > MOST_BYTES:
            raise Refused(f"the values of a step may take {MOST_BYTES >> 20} MiB")
        return held + count


def _weight(key: str, value: str) -> int:
    return len(json.dumps(key)) + len(json.dumps(value)) + PAIR_BYTES


def _pairs(part: bytes) -> Iterator[tuple[str, str]]:
    """The keys and values in a JSON object of texts, one after the other, so that whoever takes them can stop. ValueError when it is none.

    Not all of it at once, and nothing that is nested: what somebody made up could take a hundred times its own length in memory.
    """
    text = part.decode("ascii")
    if text[:1] != "{" or text[-1:] != "}":
        raise ValueError(_DAMAGED)
    text = f"{text[1:-1]}," if len(text) > 2 else ""
    at = 0
    while at < len(text):
        key, at = _word(text, at, ":", LONGEST_KEY)
        value, at = _word(text, at, ",", LONGEST_VALUE)
        yield key, value


def _word(text: str, at: int, closing: str, longest: int) -> tuple[str, int]:
    """The text that begins here, and where what follows the character behind it begins. ValueError."""
    while text.startswith(" ", at):
        at += 1
    if not text.startswith('"', at):
        raise ValueError(_DAMAGED)
    word, at = _DECODER.raw_decode(text, at)
    if not text.startswith(closing, at) or len(word) > longest:
        raise ValueError(_DAMAGED)
    word.encode("latin-1")  # as tasks are answered
    return word, at + 1


def parts(everything: bytes) -> list[bytes]:
    """What each node gave, out of all of it. ValueError when it is damaged."""
    found = []
    at = 0
    while at < len(everything):
        if len(everything) - at < _LENGTH.size:
            raise ValueError("what the nodes gave at a fence is cut short")
        (length,) = _LENGTH.unpack_from(everything, at)
        at += _LENGTH.size
        if len(everything) - at < length:
            raise ValueError("what the nodes gave at a fence is cut short")
        found.append(everything[at:at + length])
        at += length
    return found
