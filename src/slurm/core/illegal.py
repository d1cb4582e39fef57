"""IllegalTransition: an event that cannot happen, with the story of the record it was meant for."""

from __future__ import annotations

from slurm.model.job import Job


class IllegalTransition(Exception):
    """An event that cannot happen in the present state. Nothing was changed. It is a fault of the program, not of a user."""


def story(job: Job) -> str:
    """A job's past in one line, for whoever has to find out how this came about."""
    parts = [f"job {job.shown_id} of {job.owner.user} is {job.state.name}"]
    if job.flags:
        parts.append("+".join(job.flags))
    parts.append(f"attempt {job.attempt}")
    if job.array_part is not None:
        parts.append(f"tasks waiting {job.array_part.ranges}")
    for word, moment in (("submitted", job.submit_time), ("started", job.start_time), ("ended", job.end_time)):
        if moment:
            parts.append(f"{word} {moment:.3f}")
    if job.allocation is not None:
        parts.append(f"on {','.join(job.allocation.nodes)}")
    if job.nodes_left:
        parts.append(f"not yet clean {','.join(job.nodes_left)}")
    if job.reason != "None":
        parts.append(f"reason {job.reason}")
    return ", ".join(parts)
