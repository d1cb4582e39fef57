"""What was used, as it decays: counters in closed form, so that nobody has to touch them while time goes by.

A counter is (value, moment, rate): what it was worth at a moment, and how fast it grows since then. It loses half of its worth in each
half-life: its worth at t is value * 2**(-d/h) + rate * (h/ln 2) * (1 - 2**(-d/h)) with d = t - moment, or value + rate * d without decay.
Only an allocation that begins or ends, a new half-life or a reset closes a segment, each by an event; a replay makes the same numbers to
the last bit.
"""

from __future__ import annotations

import math

import msgspec

Counts = dict[str, float]
WALL = "wall"
"""Beside TRES names: seconds of allocations, whatever they hold."""


class Counter(msgspec.Struct, omit_defaults=True):
    """One counter of something a second, since `moment` (seconds since the epoch)."""

    value: float = 0.0
    moment: float = 0.0
    rate: float = 0.0

    def at(self, now: float, half_life: float) -> float:
        """What it is worth at `now`; a moment before its own is taken as its own. `half_life` in seconds, 0: it keeps its worth."""
        passed = now - self.moment
        if passed <= 0.0:
            return self.value
        if not half_life:
            return self.value + self.rate * passed
        left = math.exp2(-passed / half_life)
        return self.value * left + self.rate * (half_life / math.log(2.0)) * (1.0 - left)

    def settle(self, now: float, half_life: float) -> None:
        """Begin a new segment: from here on it may grow or decay otherwise."""
        self.value = self.at(now, half_life)
        self.moment = max(now, self.moment)


class Usage:
    """Counters of associations (by id) and QOS (by name); of each what its jobs hold, by TRES."""

    def __init__(self) -> None:
        self.half_life = 0.0
        self.counters: dict[int | str, dict[str, Counter]] = {}
        self.lasting: frozenset[int | str] = frozenset()
        """Keys that keep their worth: QOS with NoDecay."""

    def begin(self, keys: tuple[int | str, ...], amounts: Counts, now: float) -> None:
        """An allocation begins: everything in `amounts` is used each second."""
        self._change(keys, amounts, now, 1.0)

    def end(self, keys: tuple[int | str, ...], amounts: Counts, now: float) -> None:
        """It is over."""
        self._change(keys, amounts, now, -1.0)

    def of(self, key: int | str, name: str, now: float) -> float:
        """TRES seconds used up to now, decayed."""
        counter = self.counters.get(key, {}).get(name)
        return counter.at(now, self._life(key)) if counter is not None else 0.0

    def reset(self, key: int | str, now: float) -> None:
        """RawUsage=0: nothing was used; what runs goes on counting."""
        for counter in self.counters.get(key, {}).values():
            counter.settle(now, self._life(key))
            counter.value = 0.0

    def change_decay(self, half_life: float, lasting: frozenset[int | str], now: float) -> bool:
        """From now on it decays otherwise; False when it does so already."""
        if (half_life, lasting) == (self.half_life, self.lasting):
            return False
        for key, counters in self.counters.items():
            for counter in counters.values():
                counter.settle(now, self._life(key))
        self.half_life, self.lasting = half_life, lasting
        return True

    def _life(self, key: int | str) -> float:
        return 0.0 if key in self.lasting else self.half_life

    def _change(self, keys: tuple[int | str, ...], amounts: Counts, now: float, sign: float) -> None:
        for key in keys:
            counters = self.counters.setdefault(key, {})
            for name, amount in amounts.items():
                counter = counters.setdefault(name, Counter(moment=now))
                counter.settle(now, self._life(key))
                counter.rate += sign * amount
