"""Fair share: what each association used, set against what it has a right to.

Fair Tree: on every level, siblings are put in the order of shares over usage, the best served last; users are ranked by walking the tree in
that order, and the factor is the rank over the number of users. Classic (PriorityFlags=NO_FAIR_TREE): 2 ** -(usage / share / dampening),
where usage blends in that of the accounts above. Depth-oblivious: 2 ** -R with R = R of the account above * (usage over share, set against
that of all siblings) ** k; k is 1 unless the two point different ways, then the less the further the account above is from its share. Usage
is billing seconds, decayed. Source: Slurm's public pages on both algorithms.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator
from typing import NamedTuple

from slurm.core.policy.book import Book
from slurm.core.policy.usage import Usage
from slurm.model.policy import SHARES_OF_PARENT, Association

BILLING = "billing"


class Share(NamedTuple):
    """One association at one moment. `raw_shares` SHARES_OF_PARENT: stands in for its parent; `shares`: its part of what its siblings
    share.

    `usage`: billing seconds; `norm_usage`: its part of the whole cluster's; `effective_usage`: of its level's (classic: blended); `level`:
    shares over usage, infinite where nothing was used; `factor`: 0 to 1, only of users.
    """

    association: Association
    raw_shares: int
    shares: float
    usage: float
    norm_usage: float
    effective_usage: float
    level: float
    factor: float | None
    depth: int


FAIR_TREE, CLASSIC, DEPTH_OBLIVIOUS = "fair tree", "classic", "depth oblivious"


def algorithm(flags: Collection[str]) -> str:
    """Which one PriorityFlags ask for."""
    return DEPTH_OBLIVIOUS if "DEPTH_OBLIVIOUS" in flags else CLASSIC if "NO_FAIR_TREE" in flags else FAIR_TREE


Parts = Generator[None, None, dict[int, Share]]
"""Work that may rest after each of its parts, of STEP associations or so (half a millisecond); what it returns is the result."""
STEP = 100


def shares(book: Book, usage: Usage, now: float, *, by: str = FAIR_TREE, dampening: int = 1) -> dict[int, Share]:
    """Of every association; parents stand before those below them."""
    work = parts(book, usage, now, by=by, dampening=dampening)
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: dict[int, Share] = end.value
            return found


def parts(book: Book, usage: Usage, now: float, *, by: str = FAIR_TREE, dampening: int = 1) -> Parts:
    """The same part by part, of usage as it is at the first; the book must stay the same until the end."""
    used = dict.fromkeys(book.associations, 0.0)
    used.update((one, max(0.0, usage.of(one, BILLING, now))) for one in usage.counters if one in used)  # of most nothing was used
    siblings: dict[int, list[Association]] = {}
    yield
    roots = book.roots()
    yield
    whole = sum(used[root.id] for root in roots)
    found: dict[int, Share] = {}
    for root in roots:
        found[root.id] = Share(root, root.shares, 0.0, used[root.id], 1.0 if whole else 0.0, 1.0, 0.0, None, 0)
        yield from _below(book, used, whole, root, found, siblings)
    if by == FAIR_TREE:
        return (yield from _ranked(found, roots, siblings))
    return (yield from _depth_oblivious(found, dampening) if by == DEPTH_OBLIVIOUS else _classic(found, dampening))


def _siblings(book: Book, parent: Association) -> list[Association]:
    """Those that share what a parent has: its children, and in the place of a child account with Fairshare=parent those below that."""
    found: list[Association] = []
    waiting = list(book.children(parent.id))
    while waiting:
        one = waiting.pop()  # their order is that of the sorting below
        if one.shares == SHARES_OF_PARENT and not one.user:
            waiting += book.children(one.id)
        else:
            found.append(one)
    return sorted(found, key=lambda one: (not one.user, one.user, one.account))


def _below(
    book: Book, used: dict[int, float], whole: float, root: Association, found: dict[int, Share], known: dict[int, list[Association]],
) -> Iterator[None]:
    """Fill in everything below a root, depth first and without recursion; `known`: who shares what each account has."""
    waiting = [(root, 1)]
    while waiting:
        above, level = waiting.pop()
        siblings = known[above.id] = _siblings(book, above)
        counted = [one for one in siblings if one.shares != SHARES_OF_PARENT]
        total, used_here = sum(one.shares for one in counted), sum(used[one.id] for one in counted)
        deeper = []
        yield
        for place, one in enumerate(siblings):
            if place % STEP == STEP - 1:
                yield
            if one.shares == SHARES_OF_PARENT:
                over = found[above.id]
                found[one.id] = over._replace(association=one, raw_shares=one.shares, usage=used[one.id], depth=level)
            else:
                part = one.shares / total if total else 0.0
                taken = used[one.id] / used_here if used_here else 0.0
                worth = (part / taken if taken else math.inf) if part else 0.0
                found[one.id] = Share(one, one.shares, part, used[one.id], used[one.id] / whole if whole else 0.0, taken, worth, None,
                    level)
            if not one.user:
                deeper.append((one, level + 1))
        waiting += reversed(deeper)


def _ranked(found: dict[int, Share], roots: list[Association], known: dict[int, list[Association]]) -> Parts:
    """Fair Tree: walk each level from the worst served on; those of equal worth are one level together."""
    users = sum(1 for share in found.values() if share.association.user)
    left, ranked = users, dict(found)
    level = [[one for root in roots for one in known[root.id]]]
    while level:
        siblings = level.pop()
        by_worth: dict[float, list[Association]] = {}
        yield
        for place, one in enumerate(siblings):
            if place % (10 * STEP) == 10 * STEP - 1:
                yield
            by_worth.setdefault(found[one.id].level, []).append(one)
        ordered = sorted(by_worth, reverse=True)
        for place, worth in enumerate(ordered):
            tied = by_worth[worth]
            people = [one for one in tied if one.user]
            for number, one in enumerate(people):
                if number % STEP == STEP - 1:
                    yield
                of = found[one.id]
                ranked[one.id] = Share(  # what _replace would do, in half of the time
                    one, of.raw_shares, of.shares, of.usage, of.norm_usage, of.effective_usage, of.level, left / users, of.depth)
            left -= len(people)
            below = [child for one in tied if not one.user for child in known[one.id]]
            if below:
                # The others of this level come when everybody below these has a rank.
                rest = [one for later in ordered[place + 1 :] for one in by_worth[later]]
                if rest:
                    level.append(rest)
                level.append(below)
                break
    return ranked


def _classic(found: dict[int, Share], dampening: int) -> Parts:
    """2 ** -(effective usage / normalised shares / dampening); both are parts of the whole cluster."""
    normal: dict[int, tuple[float, float]] = {}
    told: dict[int, Share] = {}
    for place, (key, share) in enumerate(found.items()):
        if place % STEP == STEP - 1:
            yield
        above = normal.get(share.association.parent)
        if above is None:
            normal[key] = 1.0, 1.0 if share.usage else 0.0
            told[key] = share
            continue
        part = share.shares * above[0]
        # Right below the root there is no account whose usage could blend in.
        effective = share.norm_usage if share.depth == 1 else share.norm_usage + (above[1] - share.norm_usage) * share.shares
        normal[key] = part, effective
        factor = (2.0 ** -(effective / part / max(1, dampening)) if part else 0.0) if share.association.user else None
        told[key] = share._replace(shares=part, effective_usage=effective, factor=factor)
    return told


def _depth_oblivious(found: dict[int, Share], dampening: int) -> Parts:
    """2 ** -(R / dampening); the effective usage that is told is R times the normalised shares."""
    used_below: dict[int, float] = {}
    for place, share in enumerate(found.values()):
        if place % (10 * STEP) == 10 * STEP - 1:
            yield
        if share.depth:
            used_below[share.association.parent] = used_below.get(share.association.parent, 0.0) + share.norm_usage
    normal: dict[int, tuple[float, float]] = {}  # normalised shares, R
    told: dict[int, Share] = {}
    for place, (key, share) in enumerate(found.items()):
        if place % STEP == STEP - 1:
            yield
        above = normal.get(share.association.parent)
        if above is None:
            normal[key] = 1.0, 1.0
            told[key] = share
            continue
        part = share.shares * above[0]
        of_all = used_below.get(share.association.parent, 0.0) / above[0] if above[0] else 0.0
        local = share.norm_usage / part / of_all if part and of_all else 0.0
        ratio = above[1] * local ** _strength(above[1], local) if local and above[1] else 0.0
        normal[key] = part, ratio
        factor = (2.0 ** -(ratio / max(1, dampening)) if part else 0.0) if share.association.user else None
        told[key] = share._replace(shares=part, effective_usage=ratio * part, factor=factor)
    return told


def _strength(above: float, local: float) -> float:
    """How much of a usage ratio counts under an account with this one."""
    one, other = math.log(above), math.log(local)
    return 1.0 if one * other > 0 else 1.0 / (1.0 + (5.0 * one) ** 2)
