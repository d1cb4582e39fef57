"""`scontrol show licenses`: what there is of each licence, in use and free, also of those whose server slurmdbd knows of."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from slurm.core.licenses import resources
from slurm.model.policy import Resource
from slurm.render.json_text import Value
from slurm.render.view import View


class Row(NamedTuple):
    """One licence; `missing`: so many of `total` are in use outside of this cluster, as its server said last.

    `resource` None: it stands in slurm.conf.
    """

    name: str
    total: int
    used: int
    missing: int
    resource: Resource | None

    @property
    def free(self) -> int:
        """How many may be given out."""
        return max(0, self.total - self.used - self.missing)


def rows(view: View) -> list[Row]:
    """All licences, by name. In use is what jobs hold, also those that are on their way out."""
    used: Counter[str] = Counter()
    for job in view.jobs.values():
        if job.holding is not None and job.holding.licenses and (not job.state.finished or job.completing):
            used.update(job.holding.licenses)
    remote = {one.full_name: one for one in resources(view.settings, view.policy.book)}
    found = []
    for name, total in sorted(view.licenses.totals(view.settings, view.policy.book).items()):
        resource = remote.get(name)
        found.append(Row(name, total, used[name], view.licenses.deficit(resource, view.settings.cluster_name) if resource is not None
            else 0, resource))
    return found


def record(row: Row) -> Value:
    """As --json has it."""
    of = row.resource
    return {
        "LicenseName": row.name, "Total": row.total, "Used": row.used, "Free": row.free, "Remote": of is not None, "Reserved": 0,
        "LastConsumed": of.last_consumed if of is not None else 0, "LastDeficit": row.missing,
        "LastUpdate": int(of.last_update) if of is not None else 0,
        "Nodes": ""}


def show(row: Row, view: View, oneline: bool) -> str:
    """As text: two lines, three of a remote licence, or one."""
    parts = [f"LicenseName={row.name}", f"Total={row.total} Used={row.used} Free={row.free} Reserved=0 "
                                        f"Remote={'no' if row.resource is None else 'yes'}"]
    if row.resource is not None:
        seen = view.moment(row.resource.last_update, "Never")
        parts.append(f"LastConsumed={row.resource.last_consumed} LastDeficit={row.missing} LastUpdate={seen}")
    return (" " if oneline else "\n    ").join(parts) + "\n"
