"""THE table of pages: where each is, and what makes it."""

from __future__ import annotations

from slurm.slurmrestd.web import accounts, diagnostics, history, job, nodes, overview, plan, queue, reservations, submit
from slurm.slurmrestd.web.visit import Row

ROWS: tuple[Row, ...] = (
    Row("/", overview.show),
    Row("/overview/reasons", overview.reasons),
    Row("/overview/usage", overview.utilisation),
    Row("/queue", queue.show),
    Row("/queue", queue.act, changes=True),
    Row("/job/{job}", job.show),
    Row("/job/{job}/output", job.output),
    Row("/job/{job}/script", job.script),
    Row("/job/{job}/details", job.details),
    Row("/job/{job}/relatives", job.relatives),
    Row("/job/{job}/efficiency", job.used),
    Row("/nodes", nodes.show),
    Row("/nodes", nodes.change, changes=True),
    Row("/nodes/map", nodes.node_map),
    Row("/node/{name}", nodes.show_one),
    Row("/submit", submit.show),
    Row("/submit", submit.submit, changes=True),
    Row("/submit/check", submit.check, changes=True),
    Row("/plan", plan.show),
    Row("/reservations", reservations.show),
    Row("/history", history.show),
    Row("/history/jobs", history.jobs),
    Row("/accounts", accounts.show),
    Row("/diagnostics", diagnostics.show),
    Row("/diagnostics/config", diagnostics.configuration),
)
MENU = (
    ("/", "Overview"), ("/queue", "Queue"), ("/submit", "Submit"), ("/nodes", "Nodes"), ("/plan", "Plan"),
    ("/reservations", "Reservations"), ("/history", "History"), ("/accounts", "Accounts"), ("/diagnostics", "Diagnostics"))
"""What stands at the head of every page."""
