"""The rows of sstat: running steps asked for over the typed door, of jobs that have none a line on standard error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slurm.client.usage import StepUsage, running
from slurm.commands.shell import Shell
from slurm.model.accounting import JobRecord, JobRow, StepRecord
from slurm.model.errors import NotFound, SlurmError
from slurm.model.ids import STEP_NAMES, Gid, JobId, StepId, Uid
from slurm.notation import hostlist, jobref
from slurm.render import accounting_text, accounting_usage
from slurm.render.accounting_entry import Entry, Style
from slurm.render.fields import Field

_STEP_IDS = {name: step for step, name in STEP_NAMES.items()}
OWN = frozenset(("AllocTRES", "JobID", "Nodelist", "NTasks", "Pids", "SLUID"))
"""Fields whose text is made here; the others are those of sacct."""
_NONE_ASKED = {"ReqCPUFreq": "0", "ReqCPUFreqMin": "0", "ReqCPUFreqMax": "0", "ReqCPUFreqGov": "0"}
"""What stands for a frequency that nobody asked for, while a step runs."""


def rows(shell: Shell, ids: Sequence[str], fields: Sequence[Field], *, all_steps: bool, convert: bool,
        verbose: bool) -> Iterator[list[str]]:
    """The texts of each step that `ids` mean, without `all_steps` of each job only the lowest numbered."""
    pids = any(field.name == "Pids" for field in fields)
    style = Style(shell.now(), convert=convert)
    channel = shell.channel()
    try:
        for one in ids:
            found = running(channel, [one], pids=pids)
            for error in found.refused.values():
                _refused(shell, one, error)
            for step in found.steps if "." in one or all_steps else _first(shell, one, found.steps):
                if step.silent and verbose:
                    shell.say(f"{step.silent} did not answer in time about step {step.step}")
                yield from _lines(step, fields, style)
    finally:
        channel.close()


def _first(shell: Shell, job: str, steps: Sequence[StepUsage]) -> list[StepUsage]:
    """The lowest numbered step: of a job whose script alone runs there is none."""
    numbered = [step for step in steps if _name(step).isdigit()]
    if not numbered and steps:
        shell.hints([f"of job {job} only {_name(steps[0])} runs: sstat -j {steps[0].step} shows it, -a every step"])
    return sorted(numbered, key=lambda step: int(_name(step)))[:1]


def _name(step: StepUsage) -> str:
    return step.step.rpartition(".")[2]


def _refused(shell: Shell, job: str, error: SlurmError) -> None:
    if not isinstance(error, NotFound):
        shell.error(f"couldn't get steps for job {job}: {error.message}")
    elif error.name in ("ESLURM_ALREADY_DONE", "ESLURM_JOB_PENDING"):
        shell.error(f"No steps running for job {job}")
        shell.hints([f"sacct -j {job} shows what its steps used" if error.name == "ESLURM_ALREADY_DONE" else "it has not started yet"])
    else:
        shell.error(f"couldn't get steps for job {job}")


def _lines(step: StepUsage, fields: Sequence[Field], style: Style) -> Iterator[list[str]]:
    """One line a step; where processes are shown, one a node."""
    entry = _entry(step)
    if not any(field.name == "Pids" for field in fields):
        yield [_text(step, entry, field.name, style) for field in fields]
        return
    for node in hostlist.expand(step.nodes):
        here = {"Nodelist": node, "Pids": ",".join(str(one.pid) for one in step.pids if one.node == node)}
        yield [here[field.name] if field.name in here else _text(step, entry, field.name, style) for field in fields]


def _entry(step: StepUsage) -> Entry:
    """The step as a record, so that the fields of sacct are those of sstat."""
    name = _name(step)
    reference = jobref.parse(step.step)
    nobody = JobRecord(id=JobId(step.job or reference.job), uid=Uid(0), gid=Gid(0), user="", group="")
    record = StepRecord(
        job=nobody.id, step=_STEP_IDS[name] if name in _STEP_IDS else StepId(int(name)), ntasks=step.ntasks, nodes=step.nodes,
        allocated=step.allocated, usage=step.usage)
    return Entry(JobRow("", 0, nobody, [record]), record)


def _text(step: StepUsage, entry: Entry, field: str, style: Style) -> str:
    own = {"JobID": step.step, "Nodelist": step.nodes, "NTasks": str(step.ntasks), "Pids": "", "SLUID": step.sluid, **_NONE_ASKED}
    if field in own:
        return own[field]
    if field == "AllocTRES":
        return accounting_text.tres(step.allocated, convert=style.convert)
    return accounting_usage.GETTERS[field](entry, style)
