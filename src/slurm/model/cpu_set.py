"""CpuSet: which CPUs of a node, or which devices of a gres name there, somebody has. A set of numbers from 0 on, of any size.

Inside, one whole number whose bit i stands for CPU i: planner and fold calculate with `bits`. Outside (`model.msgpack`), bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final


class CpuSet:
    """CPU numbers of a node, or device indexes of one gres name on it. Never changed in place."""

    __slots__ = ("bits",)

    def __init__(self, bits: int = 0) -> None:
        self.bits: Final = bits

    @classmethod
    def of(cls, numbers: Iterable[int]) -> CpuSet:
        """The set of these numbers."""
        bits = 0
        for number in numbers:
            bits |= 1 << number
        return cls(bits)

    @classmethod
    def run(cls, count: int, first: int = 0) -> CpuSet:
        """`count` numbers from `first` on."""
        return cls(run(count, first))

    @classmethod
    def from_bytes(cls, data: bytes) -> CpuSet:
        """The set that `to_bytes` wrote."""
        return cls(int.from_bytes(data, "little"))

    def to_bytes(self) -> bytes:
        """Bit i % 8 of byte i // 8 stands for number i; no zero bytes at the end."""
        return self.bits.to_bytes((self.bits.bit_length() + 7) // 8, "little")

    @property
    def end(self) -> int:
        """One more than the highest number, 0 of the empty set."""
        return self.bits.bit_length()

    def lowest(self, count: int) -> CpuSet:
        """Its `count` lowest numbers (fewer when it has fewer)."""
        return CpuSet(lowest(self.bits, count))

    def isdisjoint(self, other: CpuSet) -> bool:
        """Whether no number is in both."""
        return not self.bits & other.bits

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return self.bits != 0

    def __iter__(self) -> Iterator[int]:
        """The numbers, rising."""
        return (number for number, bit in enumerate(f"{self.bits:b}"[::-1]) if bit == "1")

    def __or__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.bits | other.bits)

    def __and__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.bits & other.bits)

    def __sub__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.bits & ~other.bits)

    def __le__(self, other: CpuSet) -> bool:
        return not self.bits & ~other.bits

    def __eq__(self, other: object) -> bool:
        return self.bits == other.bits if isinstance(other, CpuSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.bits)

    def __repr__(self) -> str:
        return f"CpuSet.of({list(self)})"


NOTHING = CpuSet()
"""The empty set, shared: most nodes and jobs have one."""


def run(count: int, first: int = 0) -> int:
    """The bits of `count` numbers from `first` on."""
    return ((1 << count) - 1) << first


def lowest(bits: int, count: int) -> int:
    """The `count` lowest of these bits (fewer when there are fewer)."""
    if bits.bit_count() <= count:
        return bits
    if count <= 0:
        return 0
    block = (bits & -bits) * ((1 << count) - 1)
    if bits & block == block:
        return block
    least, most = count, bits.bit_length()
    while least < most:  # how many of the first positions hold `count` bits
        middle = (least + most) // 2
        if (bits & ((1 << middle) - 1)).bit_count() < count:
            least = middle + 1
        else:
            most = middle
    return bits & ((1 << least) - 1)
