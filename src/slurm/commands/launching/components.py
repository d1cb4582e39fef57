"""srun and the components of a heterogeneous job: for which of them it makes steps, what each is asked for, and one layout out of several
grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slurm.model.errors import InvalidRequest
from slurm.options.components import resolve_parts, split_all
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved

_SUFFIX = "_HET_GROUP_"
_SIZE = "SLURM_HET_SIZE"
_LEADERS = frozenset({"SLURM_JOB_ID", "SLURM_JOBID"})
"""What stays the leader's in every component."""


class Part(NamedTuple):
    """What is asked for one component; `group` None outside of a heterogeneous job."""

    resolved: Resolved
    group: int | None = None


def parts_of(argv: Sequence[str], environ: Mapping[str, str], now: float) -> list[Part]:
    """The components that a command line of srun is about, each with what is asked for it; one of a step of an ordinary job."""
    lines = split_all("srun", argv)
    inside = _SIZE in environ
    named = [next((one.text for one in reversed(given) if one.option.name == "het-group"), None) for given, _ in lines]
    in_job = "SLURM_JOB_ID" in environ or any(one.option.name == "jobid" for given, _ in lines for one in given)
    if not in_job and any(text is not None for text in named):
        raise OptionError("--het-group names components of a job that runs", exit_code=1, hints=[
            "a job of its own has one component for each part of the line: srun -n1 server : -n2 client"])
    wanted: list[tuple[int, int | None]] = []
    for number, text in enumerate(named):
        if text is not None:
            wanted += [(number, group) for group in groups(text)]
        else:
            wanted.append((number, number if inside or len(lines) > 1 else None))
    _require_distinct([group for _, group in wanted])
    resolved = resolve_parts(
        "srun", lines, [(number, environ_of(environ, group) if inside and group is not None else environ) for number, group in wanted],
        now=now)
    _share_programs(resolved)
    return [Part(one, group) for one, (_, group) in zip(resolved, wanted, strict=True)]


def groups(text: str) -> list[int]:
    """The numbers of --het-group: "0,2-4"."""
    found: list[int] = []
    for piece in text.split(","):
        low, dash, high = piece.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or len(low) > 4 or len(high) > 4 or (dash and int(high) < int(low)):
            raise OptionError(f"Invalid --het-group specification: {text}", exit_code=1,
                hints=["valid: numbers of components such as 0,2-4"])
        found += range(int(low), int(high if dash else low) + 1)
    return found


def _require_distinct(numbers: Sequence[int | None]) -> None:
    double = next((number for number in numbers if numbers.count(number) > 1), None)
    if double is not None:
        raise OptionError(f"component {double} is named twice in --het-group", exit_code=1,
            hints=["one srun makes one step on a component"])


def _share_programs(parts: Sequence[Resolved]) -> None:
    """A component without a program runs that of the next one that has one."""
    words: list[str] = []
    for one in reversed(parts):
        one.rest = words = one.rest or words


def environ_of(environ: Mapping[str, str], group: int) -> dict[str, str]:
    """The environment as a component of a heterogeneous job sees it: what it says of that component under the usual names, of all of them
    none."""
    suffix = f"{_SUFFIX}{group}"
    special = {name.partition(_SUFFIX)[0] for name in environ if _SUFFIX in name} - _LEADERS
    plain = {name: value for name, value in environ.items() if name not in special}
    return plain | {
        usual: value for name, value in environ.items()
        if name.endswith(suffix) and (usual := name.removesuffix(suffix)) not in _LEADERS}


def together(granted: Mapping[str, Any], launches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The grant of a step over several components as one: each place of its layout with what only its component is told (`launches`)."""
    layout = []
    seen: dict[str, int] = {}
    for part, launch in zip((granted, *granted.get("components", ())), launches, strict=True):
        for place in part["layout"]:
            count = seen[place["node"]] = seen.get(place["node"], 0) + 1
            layout.append({**place, "place": place["node"] if count == 1 else f"{place['node']}+{count - 1}", "launch": launch})
    return {**granted, "layout": layout}


def require_simple(parts: Sequence[Part]) -> None:
    """What a step over several components cannot do. InvalidRequest."""
    if len(parts) == 1:
        return
    for key, word in (("multi_prog", "--multi-prog"), ("bcast", "--bcast")):
        if any(key in part.resolved.settings for part in parts):
            raise InvalidRequest("ESLURM_INVALID_OPTION", f"{word} is not supported for a step over several components", hints=[
                "give each component its program: srun server : client"])
