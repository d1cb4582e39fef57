"""Triggers: set, shown and cleared. What they wait for is seen in `slurmctld.triggers`."""

from __future__ import annotations

import os
import shlex

import msgspec

from slurm.core import resolving, rights
from slurm.core.events import TriggersCleared, TriggerSet
from slurm.model.errors import InvalidRequest, NotFound, NotNow, NotPermitted
from slurm.model.ids import JobId
from slurm.model.trigger import JOB, NODE, OF_DAEMON, OF_JOB, OF_NODE, Trigger
from slurm.notation import hostlist
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.handlers.jobs import LATER
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire import trigger_messages as t

MOST = 10_000
MOST_OF_A_USER = 100
_WORDS = {JOB: OF_JOB, NODE: OF_NODE, **OF_DAEMON}


async def on_set(ctl: Controller, session: Session, message: t.SetTrigger) -> t.TriggerMade:
    """A job's triggers are for its owner, all others for root and SlurmUser; the program is run as the caller."""
    caller, cluster = session.caller, ctl.cluster
    if message.what not in _WORDS.get(message.of, ()):
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"Invalid trigger: {message.of} {message.what}")
    if os.geteuid() not in (0, caller.uid):
        raise NotPermitted(hints=[f"slurmctld runs as uid {os.geteuid()}: it runs programs of that user only, and only he may set "
                                  f"triggers"])
    try:
        words = shlex.split(message.program)
    except ValueError as error:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"Invalid program: {message.program}", hints=[str(error)]) from error
    if not words or not os.path.isabs(words[0]):
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"Invalid program: {message.program}",
            hints=["name it by its whole path, such as /usr/local/bin/notify"])
    plain = msgspec.structs.replace(caller, unelevated=False)
    if caller.unelevated and (rights.is_operator(cluster, plain) or rights.coordinated(cluster, plain)):
        raise NotPermitted(hints=["a compute node speaks for you here, and not for your rights over others, which the program would have: "
                                  "set the trigger on a login node"])
    if message.of == JOB and message.permanent and message.what in ("fini", "time"):
        raise InvalidRequest("ESLURM_INVALID_OPTION", "Invalid trigger: what happens once has no permanent trigger",
            hints=[f"leave --flags=perm out: a job's {message.what} comes once"])
    if message.of == JOB:
        ctl.require_owner(session, cluster.job(message.job))
    elif not (caller.uid in (0, os.geteuid()) or caller.user == cluster.settings.slurm_user):
        raise NotPermitted(hints=["triggers of nodes and daemons are for root and SlurmUser to set"])
    mine = sum(one.uid == caller.uid for one in cluster.triggers.values())
    if caller.uid != 0 and (len(cluster.triggers) >= MOST or mine >= MOST_OF_A_USER):
        raise NotNow("ESLURM_NOT_SUPPORTED", "Too many triggers are set", hints=["strigger --clear removes some"])
    nodes = hostlist.compress(resolving.known_nodes(cluster, message.nodes)) if message.of == NODE and message.nodes != "*" else "*"
    trigger = Trigger(
        id=cluster.next_trigger, uid=caller.uid, gid=caller.gid, user=caller.user, kind=message.of, what=message.what,
        program=message.program,
        job=JobId(message.job), nodes=nodes, offset=message.offset, permanent=message.permanent)
    await ctl.engine.promised(ctl.engine.record(TriggerSet(at=ctl.now(), trigger=trigger)), LATER)
    return t.TriggerMade(id=trigger.id)


async def on_list(ctl: Controller, session: Session, message: t.ListTriggers) -> t.TriggersListed:
    """One's own; operators see all."""
    sees_all = rights.is_operator(ctl.cluster, session.caller)
    return t.TriggersListed(triggers=[one for one in ctl.cluster.triggers.values() if sees_all or one.uid == session.caller.uid])


async def on_clear(ctl: Controller, session: Session, message: t.ClearTriggers) -> m.Done:
    """Only root and who set a trigger may clear it."""
    if not (message.id or message.job or message.user):
        raise InvalidRequest("ESLURM_INVALID_OPTION", "No trigger is named", hints=["--id, --jobid or --user says which"])
    found = [
        one for one in ctl.cluster.triggers.values()
        if message.id in (0, one.id) and message.job in (0, one.job) and message.user in ("", one.user, str(one.uid))]
    if not found:
        raise NotFound("ESLURM_TRIGGER_MISSING")
    mine = [one.id for one in found if session.caller.uid in (0, one.uid) or rights.is_administrator(ctl.cluster, session.caller)]
    if not mine:
        raise NotPermitted(hints=["a trigger is cleared by who set it, or by root"])
    await ctl.engine.promised(ctl.engine.record(TriggersCleared(at=ctl.now(), triggers=mine)), LATER)
    return m.Done()
