"""An explanation as lines for people."""

from __future__ import annotations

from slurm.model.explanation import Explanation, Other
from slurm.notation import duration, moment
from slurm.notation.printable import printable


def lines(found: Explanation) -> list[str]:
    """What there is to say of a job, the most important first; lines that begin with blanks belong to the one above them."""
    told = [f"Job {found.job} ({found.name}, {found.user}) is {found.state}: {found.sentence}" + (f" ({found.reason})" if found.reason
        else "")]
    told += [f"  {what}: {how}" for what, how in found.evidence]
    told += [f"  {_named(one)}" for one in found.waits_for]
    if found.unsuited:
        told.append(f"Nodes of partition {found.partition} that do not come into question:")
        told += [f"  {nodes}: {why}" for nodes, why in found.unsuited]
    if sum(count for _, count in found.refused) > len(found.evidence):
        counts = "; ".join(f"{count} {'is' if count == 1 else 'are'} refused: {why}" for why, count in found.refused)
        told.append(f"Of the {found.partition_nodes} nodes of partition {found.partition} {counts}")
    if found.first is not None:
        jobs = "1 job is" if found.before == 1 else f"{found.before} jobs are"
        told.append(f"{jobs} before it in partition {found.partition}; the next one is job {found.first.job} ({found.first.name}, "
                    f"{found.first.user})")
    if found.cures:
        told.append(f"It can start when {_listed(found.cures)}")
    told += [f"What may help: {what}" for what in found.advice]
    if found.again:
        told += ["To submit it again:", f"  {found.again}"]
    if found.state == "PENDING":
        told += _start(found)
    if found.suggestions:
        told.append("It would start sooner, as the planner found for each:")
        for one in found.suggestions:
            told += [f"  {one.change}: {_when(found, one.start)}" + (f", on {one.nodes}" if one.nodes else ""), f"    {one.command}"]
    if found.priority:
        told.append(f"Its priority is {found.priority[0][1]}")
        told += [f"  {name} {words}" for name, words in found.priority[1:]]
    return [printable(line) for line in told]


def _start(found: Explanation) -> list[str]:
    """When it is expected to start, and after whom."""
    holders = [f"  {_named(one)}" for one in found.holders]
    if found.start:
        ahead = f"in {duration.show(found.start - found.at)}" if found.start - found.at >= 1 else "any moment"
        where = f", on {found.nodes}" if found.nodes else ""
        return [f"It is expected to start {ahead}, at {moment.show(found.start)}{where}" + (", after" if holders else ""), *holders]
    return ["When it will start cannot be told: these jobs have no time limit", *holders] if holders else []


def _when(found: Explanation, start: float) -> str:
    return "now" if start - found.at < 1 else f"at {moment.show(start)}"


def _named(one: Other) -> str:
    where = f" on {one.nodes}" if one.nodes and one.state == "RUNNING" else ""
    until = f", until {moment.show(one.end)} at the latest" if one.end and one.state == "RUNNING" else ""
    return f"job {one.job} ({one.name}, {one.user}), {one.state}{where}{until}"


def _listed(texts: list[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
