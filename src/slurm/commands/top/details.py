"""What a page about a job says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slurm.sdk.following.inspection import JobRecord

SAYS_NOTHING = frozenset(("", "(null)", "N/A", "Unknown", "None", "0:0", "00:00:00", "OK"))


class Section(NamedTuple):
    """A heading and what stands below it, name by name."""

    title: str
    rows: list[tuple[str, str]]


def sections(job: JobRecord, why: Sequence[str]) -> list[Section]:
    """Why a job waits, in these lines, its state, resources, times, files and relations; what says nothing is left out."""

    def of(name: str) -> str:
        return job.fields.get(name, "")

    found = [
        Section("Why it waits" if job.state == "PENDING" else "Why it ended", [("", line) for line in why]),
        Section("State", [("state", job.state), ("reason", job.reason), ("exit code", job.exit_code),
        ("restarts", of("Restarts").strip("0")),
                          ("priority", of("Priority")), ("user", job.user), ("account", job.account), ("QOS", job.qos),
                          ("comment", of("Comment"))]),
        Section("Resources", [("partition", job.partition), ("nodes", job.nodelist or str(job.nodes)), ("CPUs", str(job.cpus)),
        ("tasks", of("NumTasks")),
                              ("asked for", job.requested), ("has", job.allocated), ("features", of("Features")),
                              ("licenses", of("Licenses"))]),
        Section("Times", [("submitted", job.submit), ("eligible", of("EligibleTime") if of("EligibleTime") != job.submit else ""),
                          ("started" if job.state != "PENDING" else "expected", job.start),
                          ("ends by" if job.state == "RUNNING" else "ended", _end(job)),
                          ("has run", job.used), ("limit", job.limit), ("deadline", of("Deadline"))]),
        Section("Relations", [("depends on", job.dependency), ("array", job.array_id), ("at once", of("ArrayTaskThrottle"))]),
        Section("Files", [("command", job.command), ("folder", job.work_dir), ("output", job.stdout),
        ("errors", job.stderr if job.stderr != job.stdout else ""),
                          ("input", of("StdIn").replace("/dev/null", "")), ("submitted by", of("SubmitLine"))]),
    ]
    said = (Section(section.title, [row for row in section.rows if row[1] not in SAYS_NOTHING]) for section in found)
    return [section for section in said if section.rows]


def _end(job: JobRecord) -> str:
    return "" if job.state == "PENDING" or (job.state == "RUNNING" and job.limit == "UNLIMITED") else job.end
