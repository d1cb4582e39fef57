"""Job dependencies, `afterok:123:124+5,afterany:7`: read and shown. Whether they are fulfilled is decided in `core`."""

from typing import NamedTuple

from slurm.notation.errors import NotationError
from slurm.notation.nearest import nearest

KINDS = ("after", "afterok", "afternotok", "afterany", "aftercorr", "singleton")
UNFULFILLED, FULFILLED, FAILED = "unfulfilled", "fulfilled", "failed"
REFUSED = ("afterburstbuffer", "expand")
"""Kinds that other clusters know."""
_VALID = '"afterok:123:124,afterany:7" (all must hold) or "afterok:123?afterany:7" (any is enough); kinds: ' + ", ".join(KINDS)
_MAX_DIGITS = 9


class Clause(NamedTuple):
    """One condition. `task` is one task of the array `job`, `whole_array` its every task, written "123_*".

    `delay` is seconds to let pass after that, meant for kind "after"; `state` is one of the three above.
    """

    kind: str
    job: int = 0
    task: int | None = None
    whole_array: bool = False
    delay: int = 0
    state: str = UNFULFILLED

    def show(self, with_state: bool = False) -> str:
        """ "afterok:123_*", "after:5+10", "singleton"; with its state "afterok:86(unfulfilled)"."""
        shown = self.kind
        if self.kind != "singleton":
            shown += f":{self.job}"
            shown += "_*" if self.whole_array else f"_{self.task}" if self.task is not None else ""
            shown += f"+{self.delay // 60}" if self.delay else ""
        return f"{shown}({self.state})" if with_state else shown


class Dependency(NamedTuple):
    """Conditions in the order written; with `any` one of them is enough, else all must hold."""

    clauses: tuple[Clause, ...]
    any: bool = False

    def show(self, with_state: bool = False) -> str:
        """One clause a job, joined by "," or "?"."""
        return ("?" if self.any else ",").join(clause.show(with_state) for clause in self.clauses)


def parse(text: str) -> Dependency:
    """Reads `--dependency`; a bare job id means afterany. Mixed separators, unknown kinds and bad ids raise NotationError.

    Source: sbatch(1).
    """
    stripped = text.strip()
    if "," in stripped and "?" in stripped:
        later = max(stripped.index(","), stripped.index("?"))
        raise NotationError('"," and "?" cannot be mixed', text=text, position=later, valid=_VALID)
    clauses: list[Clause] = []
    place = 0
    for piece in stripped.replace("?", ",").split(","):
        clauses += _parse_piece(stripped, place, piece)
        place += len(piece) + 1
    return Dependency(tuple(dict.fromkeys(clauses)), "?" in stripped)


def show(clauses: tuple[Clause, ...] | list[Clause], any: bool = False) -> str:
    """Clauses with their states as squeue's %E and scontrol print them; fulfilled ones are left out."""
    waiting = tuple(clause for clause in clauses if clause.state != FULFILLED)
    return Dependency(waiting, any).show(with_state=True)


def _parse_piece(text: str, place: int, piece: str) -> list[Clause]:
    kind, *ids = piece.split(":")
    word = kind.strip().lower()
    if word in REFUSED:
        raise NotationError(f'dependency "{word}" is not supported yet', text=text, position=place, valid=", ".join(KINDS))
    if word == "singleton" and not ids:
        return [Clause("singleton")]
    if not ids and word[:1].isdigit():
        return [_parse_job(text, place, "afterany", word)]
    if word not in KINDS or word == "singleton":
        meant = nearest(word, KINDS)
        hint = f' (did you mean "{meant}"?)' if meant and meant != word else ""
        problem = "singleton takes no job id" if word == "singleton" else f'"{kind}" is no dependency{hint}'
        raise NotationError(problem, text=text, position=place, valid=_VALID)
    if not ids:
        raise NotationError(f'"{word}" names no job', text=text, position=place + len(kind), valid=f'"{word}:123"')
    clauses = []
    place += len(kind) + 1
    for job in ids:
        clauses.append(_parse_job(text, place, word, job))
        place += len(job) + 1
    return clauses


def _parse_job(text: str, place: int, kind: str, job_text: str) -> Clause:
    body, plus, minutes = job_text.strip().partition("+")
    job, underscore, task = body.partition("_")
    numbers_ok = _is_number(job) and int(job) > 0 and (not underscore or task == "*" or _is_number(task))
    if not numbers_ok or (plus and not _is_number(minutes)):
        raise NotationError(f'"{job_text}" is no job id', text=text, position=place, valid='"123", "123_4", "123_*", "123+minutes"')
    whole = task == "*"
    return Clause(kind, int(job), int(task) if underscore and not whole else None, whole, int(minutes or 0) * 60)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
