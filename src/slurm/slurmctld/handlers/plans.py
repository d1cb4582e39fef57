"""What is planned to start when: `slurm plan`."""

from __future__ import annotations

from slurm.core import rights
from slurm.sched.schedule import schedule
from slurm.slurmctld import tomorrow
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire import plan_messages as p

INLINE = 500
"""With so many jobs the answer is made at once, with more in a process beside."""


async def on_read_plan(ctl: Controller, session: Session, message: p.ReadPlan) -> m.Message | bytes:
    """The planner's forecasts and what runs; or what they would be under another configuration."""
    cluster, now, caller = ctl.cluster, ctl.now(), session.caller
    if message.configured:
        rights.require_administrator(cluster, caller)
        return await ctl.looked_beside(
            lambda: p.PlanRead(schedule=tomorrow.planned(cluster, tomorrow.read(message.configured), now)), True, session)
    rights.require_public(cluster, caller, rights.NODES, rights.PARTITIONS)
    planner = ctl.planner

    def read() -> p.PlanRead:
        return p.PlanRead(schedule=schedule(
            cluster, now, planner.forecasts, planner.verdicts, planner.last_pass, lambda job: rights.may_see(cluster, caller, job)))

    return await ctl.looked_beside(read, len(cluster.active) + len(cluster.pending) > INLINE, session)
