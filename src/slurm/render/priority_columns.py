"""THE table of what sprio shows: fields by letter, and the text of each for a job or for the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slurm.model.priority import JobPriority
from slurm.render.fields import Field, Table

FULL = 4294967295
"""What a priority of 1 would be."""
_FACTORS = {"a": "age", "b": "assoc", "f": "fairshare", "j": "jobsize", "p": "partition", "q": "qos"}
"""Small letter: the factor; capital: times its weight."""
_HEADERS = {"age": "AGE", "assoc": "ASSOC", "fairshare": "FAIRSHARE", "jobsize": "JOBSIZE", "partition": "PARTITION", "qos": "QOS"}


def _factor_fields() -> list[Field]:
    found = []
    for letter, name in _FACTORS.items():
        found.append(Field(f"{name} factor", letter, _HEADERS[name], f"The {name} factor, from 0 to 1."))
        found.append(Field(name, letter.upper(), _HEADERS[name], f"The {name} factor times its weight."))
    return found


JOB = Table(
    *_factor_fields(),
    Field("cluster", "c", "CLUSTER", "Name of the cluster."), Field("job", "i", "JOBID", "The job."),
    Field("qos name", "n", "QOSNAME", "The job's QOS."),
    Field("nice", "N", "NICE", "What the user took away from the priority."), Field("account", "o", "ACCOUNT", "The job's account."),
    Field("partition name", "r", "PARTITION", "The partition in which the job waits."),
    Field("site factor", "s", "SITE", "The site's factor."),
    Field("site", "S", "SITE", "The site's factor times its weight."), Field("tres factors", "t", "TRES", "The TRES factors."),
    Field("tres", "T", "TRES", "The TRES factors times their weights."), Field("user", "u", "USER", "The job's user."),
    Field("normalised", "y", "PRIORITY", "The priority as a part of the highest one."), Field("priority", "Y", "PRIORITY", "The priority."))
LONG = "%.15i %9r %.8u %.8o %.10Y %.10S %.10A %.10B %.10F %.10J %.10P %.10n %.10Q %.11N %.20T"
_WEIGHTED = {"age": "%.10A", "assoc": "%.10B", "fairshare": "%.10F", "jobsize": "%.10J", "partition": "%.10P", "qos": "%.10Q"}
_PLAIN = {"age": "%10a", "assoc": "%10b", "fairshare": "%10f", "jobsize": "%10j", "partition": "%10p", "qos": "%10q"}


def default(weights: Mapping[str, int], tres_weights: Mapping[str, float], *, norm: bool, users: bool = False) -> str:
    """The format where none is asked for: the factors that have a weight, and the `users` where some were named."""
    first = "%.15i %9r %.8u" if users else "%.15i %9r"
    if norm:
        return " ".join([f"{first} %10y", *(_PLAIN[name] for name in _PLAIN if weights.get(name)), *(["%20t"] if tres_weights else [])])
    return " ".join([f"{first} %.10Y %.10S", *(_WEIGHTED[name] for name in _WEIGHTED if weights.get(name)),
        *(["%.20T"] if tres_weights else [])])


def cells(fields: Sequence[Field], one: JobPriority, cluster: str) -> tuple[str, ...]:
    """The texts of a job's line."""
    return tuple(_text(field.letter, one, cluster) for field in fields)


def _text(letter: str, one: JobPriority, cluster: str) -> str:
    if letter.lower() in _FACTORS:
        name = _FACTORS[letter.lower()]
        return f"{one.factors.get(name, 0.0):.7f}" if letter.islower() else str(int(one.weighted.get(name, 0.0)))
    texts = {
        "c": cluster, "i": one.job, "n": one.qos, "N": str(one.nice), "o": one.account, "r": one.partition, "s": "0", "S": "0",
        "u": one.user,
        "y": _normalised(one.priority), "Y": str(one.priority), "t": ",".join(f"{name}={factor:.2f}" for name,
        factor in one.tres_factors.items()),
        "T": ",".join(f"{name}={int(worth)}" for name, worth in one.tres.items())}
    return texts[letter]


def _normalised(priority: int) -> str:
    """Cut, not rounded, as Slurm's."""
    return f"{int(priority / FULL * 1e8) / 1e8:.8f}"


def weight_cells(fields: Sequence[Field], weights: Mapping[str, int], tres_weights: Mapping[str, float], cluster: str) -> tuple[str, ...]:
    """The texts of the line of weights; those of the site count as 1."""
    found = []
    for field in fields:
        name = _FACTORS.get(field.letter.lower(), "")
        fixed = {"i": "Weights", "c": cluster, "s": "1", "S": "1", "t": _tres(tres_weights), "T": _tres(tres_weights)}
        found.append(str(weights.get(name, 0)) if name else fixed.get(field.letter, ""))
    return tuple(found)


def _tres(weights: Mapping[str, float]) -> str:
    return ",".join(f"{name}={weight:.6g}" for name, weight in weights.items())


def sort_key(letter: str, one: JobPriority, cluster: str) -> tuple[float, str]:
    """What to sort by: numbers as numbers."""
    name = _FACTORS.get(letter.lower(), "")
    if name:
        return one.factors.get(name, 0.0) if letter.islower() else one.weighted.get(name, 0.0), ""
    if letter in ("y", "Y", "N"):
        return (one.nice if letter == "N" else one.priority), ""
    text = _text(letter, one, cluster)
    return (float(text), "") if text.isdigit() else (0.0, text)
