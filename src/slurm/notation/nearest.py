"""The nearest valid word, for "did you mean"."""

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate closest to `word`, case aside; None when nothing is close.

    Close: at most a third of the longer word's letters inserted, dropped, changed or swapped with a neighbour, or the word
    is the beginning of just this candidate. Of equals the first in which letters were only left out wins, else the first.
    """
    lowered = word.lower()
    letters = set(lowered)
    best: str | None = None
    best_distance = 1_000_000
    left_out = False
    begins: list[str] = []
    for candidate in candidates:
        other = candidate.lower()
        allowed = min(max(len(lowered), len(other)) // 3, best_distance - left_out)
        if len(lowered) >= 3 and other.startswith(lowered):
            begins.append(candidate)
        # Each letter that the other word lacks costs an edit: most words are out of the question before anything is counted.
        if abs(len(lowered) - len(other)) <= allowed and len(letters.difference(other)) <= allowed:
            distance = _distance(lowered, other, allowed)
            inside = _is_inside(lowered, other)
            if distance <= allowed and (distance < best_distance or inside):
                best, best_distance, left_out = candidate, distance, inside
    if best_distance > 1 and len(begins) == 1:
        return begins[0]
    return best


def _is_inside(word: str, other: str) -> bool:
    """Whether the other word has all letters of this one in their order."""
    letters = iter(other)
    return all(letter in letters for letter in word)


def _distance(a: str, b: str, limit: int) -> int:
    """Edits between two words (insert, drop, change, swap neighbours); any number above `limit` when there are more."""
    before: list[int] = []
    current = list(range(len(b) + 1))
    for i, char in enumerate(a, start=1):
        earlier, before, current = before, current, [i]
        for j, other in enumerate(b, start=1):
            cost = min(before[j] + 1, current[j - 1] + 1, before[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == other:
                cost = min(cost, earlier[j - 2] + 1)
            current.append(cost)
        if min(current) > limit and (i == 1 or min(before) > limit):
            return limit + 1
    return current[-1]
