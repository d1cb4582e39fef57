"""From a message's type to its handler: the whole list, written once."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from slurm.core import rights
from slurm.model import bounds
from slurm.model.errors import SlurmError, Unsupported
from slurm.slurmctld.audit import ACTS
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.handlers import (
    allocations,
    control,
    crontabs,
    following,
    jobs,
    looking,
    metrics,
    nodes,
    notifying,
    output,
    priorities,
    reservations,
    steps,
    tokens,
    triggers,
    usage,
)
from slurm.slurmctld.handlers.plans import on_read_plan
from slurm.slurmctld.past import QUESTION
from slurm.slurmctld.reading import StoredPayload, read_any
from slurm.slurmctld.relays import require_own
from slurm.slurmctld.session import Session
from slurm.wire import crontab_messages as k
from slurm.wire import follow_messages as f
from slurm.wire import history_messages as h
from slurm.wire import messages as m
from slurm.wire import node_changes as d
from slurm.wire import operation_messages as o
from slurm.wire import plan_messages as p
from slurm.wire import reservation_messages as r
from slurm.wire import token_messages as j
from slurm.wire import trigger_messages as t
from slurm.wire.step_layout import FindStep

log = logging.getLogger("slurmctld.dispatch")
Handler = Callable[[Controller, Session, Any], Awaitable[m.Message | bytes]]
"""A reply, or a large one as JSON already (handlers.looking)."""

# SubmitJob goes to jobs.on_submit with its payload in the form in which it is kept.
HANDLERS: dict[type[m.Message], Handler] = {
    m.TestJob: jobs.on_test,
    m.CancelJobs: jobs.on_cancel,
    m.HoldJobs: jobs.on_hold,
    m.ReleaseJobs: jobs.on_release,
    m.RequeueJobs: jobs.on_requeue,
    o.MoveToTop: jobs.on_top,
    o.SuspendJobs: jobs.on_suspend,
    o.ResumeJobs: jobs.on_resume,
    o.NotifyJob: notifying.on_notify,
    m.UpdateJob: jobs.on_update,
    m.BatchScript: jobs.on_batch_script,
    m.AllocateJob: allocations.on_allocate,
    m.AttachAllocation: allocations.on_attach,
    m.Relinquish: allocations.on_relinquish,
    m.WaitJob: allocations.on_wait_job,
    m.WaitReady: allocations.on_wait_ready,
    m.CreateStep: steps.on_create,
    FindStep: steps.on_find,
    m.CertifyUser: steps.on_certify,
    m.FinishStep: steps.on_finish,
    k.ReadCrontab: crontabs.on_read,
    k.WriteCrontab: crontabs.on_write,
    t.SetTrigger: triggers.on_set,
    t.ListTriggers: triggers.on_list,
    t.ClearTriggers: triggers.on_clear,
    m.UpdateNode: control.on_update_node,
    m.UpdatePartition: control.on_update_partition,
    d.CreateNodes: nodes.on_create_nodes,
    d.DeleteNodes: nodes.on_delete_nodes,
    d.CreatePartition: nodes.on_create_partition,
    d.DeletePartition: nodes.on_delete_partition,
    d.RebootNodes: nodes.on_reboot,
    r.CreateReservation: reservations.on_create,
    r.UpdateReservation: reservations.on_update,
    r.DeleteReservation: reservations.on_delete,
    m.Ping: control.on_ping,
    m.CertifyDaemon: control.on_certify_daemon,
    j.MakeToken: tokens.on_make_token,
    j.ActAs: tokens.on_act_as,
    m.Reconfigure: control.on_reconfigure,
    o.SetDebug: control.on_set_debug,
    o.Takeover: control.on_takeover,
    m.Shutdown: control.on_shutdown,
    m.Quiesce: control.on_quiesce,
    m.ListJobs: looking.on_list_jobs,
    m.ListNodes: looking.on_list_nodes,
    m.Describe: looking.on_describe,
    m.ListRecords: looking.on_list_records,
    m.FindUsage: usage.on_find,
    m.ReadOutput: output.on_read,
    m.ExplainJob: looking.on_explain,
    p.ReadPlan: on_read_plan,
    h.ReadHistory: looking.on_history,
    m.ListShares: priorities.on_list_shares,
    m.ListPriorities: priorities.on_list_priorities,
    m.WatchEvents: looking.on_watch,
    f.ReadRights: following.on_read_rights,
    f.Follow: following.on_follow,
    f.ReadMetrics: metrics.on_read_metrics,
    m.ReadStatistics: control.on_read_statistics,
}

CHANGING: frozenset[type[m.Message]] = frozenset({
    m.SubmitJob, m.CancelJobs, m.HoldJobs, m.ReleaseJobs, m.RequeueJobs, o.SuspendJobs, o.ResumeJobs, o.MoveToTop, m.UpdateJob,
    m.AllocateJob, m.CreateStep, m.UpdateNode,
    m.UpdatePartition, r.CreateReservation, r.UpdateReservation, r.DeleteReservation, m.Reconfigure,
    d.CreateNodes, d.DeleteNodes, d.CreatePartition, d.DeletePartition, d.RebootNodes,
    k.WriteCrontab, t.SetTrigger, t.ClearTriggers,
})
"""Requests that are refused while the disk takes nothing. Those that only tell what has happened (Relinquish, FinishStep) wait for it."""

for _request in (m.SubmitJob, *HANDLERS):
    bounds.checker(_request)  # a field without bounds ends here, before anybody is served


async def answer(ctl: Controller, session: Session, payload: bytes) -> m.Message | bytes:
    """The reply to one request; refusals are replies, surprises are logged and told as such."""
    uid = session.caller.uid
    try:
        if QUESTION.match(payload) is not None:
            if ctl.past is None:
                raise Unsupported(message="Slurm accounting storage is disabled", hints=[
                    "AccountingStorageType=accounting_storage/slurmdbd in slurm.conf and a slurmdbd keep what jobs did"])
            return await ctl.past.ask(uid, payload, unelevated=session.peer.unelevated, first=ctl.goes_first(session))
        try:
            request, kept = await read_any(payload, ctl.cluster.settings, ctl.reading, uid, first=ctl.goes_first(session))
        except SlurmError as error:
            ctl.complaints.warning(f"uid {uid}", f"sent what is no valid request: {'; '.join(error.lines())}")
            raise
        if session.peer.confined_to:
            require_own(request, session.peer.confined_to, ctl.cluster.jobs, uid)
        if type(request) in CHANGING:
            ctl.engine.refuse_when_stalled()
        return await _carried_out(ctl, session, request, kept)
    except SlurmError as error:
        log.debug("uid %s is refused: %s", uid, error.message)
        return m.failure(error)
    except Exception:
        log.exception("a request of uid %s failed in the controller", uid)
        return m.Failure(kind="SlurmError", name="ESLURM_ERROR_ON_DESC_TO_RECORD_COPY", message="The controller failed on this request",
                         hints=["its log has the details; what the request was to change may be changed in part"])


async def _carried_out(ctl: Controller, session: Session, request: m.Request, kept: StoredPayload | None) -> m.Message | bytes:
    """The handler's reply, counted with the time it took, refusals too."""
    began = time.perf_counter()
    log.debug("uid %s asks for %s", session.caller.uid, type(request).__name__)
    noted = type(request) in ACTS and rights.is_operator(ctl.cluster, session.caller)
    try:
        if isinstance(request, m.SubmitJob) and kept is not None:
            return await jobs.on_submit(ctl, session, request, kept)
        reply = await HANDLERS[type(request)](ctl, session, request)
        if noted:
            ctl.audit.note(session.caller, request)
        return reply
    except SlurmError as error:
        if noted:
            ctl.audit.note(session.caller, request, error.message)
        raise
    finally:
        ctl.counters.asked(type(request), session.caller.uid, time.perf_counter() - began)
