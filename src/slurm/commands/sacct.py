"""sacct: asks accounting for past jobs and lays them out."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.commands import wanted_style
from slurm.commands.shell import Shell, informed, notes, run
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

BRIEF = "jobid,state,exitcode"
DEFAULT = "jobid,jobname,partition,account,alloccpus,state,exitcode"
LONG = (
    "jobid,jobidraw,jobname,partition,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,maxrssnode,maxrsstask,averss,maxpages,"
    "maxpagesnode,"
    "maxpagestask,avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,alloccpus,elapsed,state,exitcode,avecpufreq,reqcpufreqmin,"
    "reqcpufreqmax,"
    "reqcpufreqgov,reqmem,consumedenergy,maxdiskread,maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,maxdiskwritenode,"
    "maxdiskwritetask,"
    "avediskwrite,reqtres,alloctres,tresusageinave,tresusageinmax,tresusageinmaxnode,tresusageinmaxtask,tresusageinmin,tresusageinminnode,"
    "tresusageinmintask,tresusageintot,tresusageoutmax,tresusageoutmaxnode,tresusageoutmaxtask,tresusageoutave,tresusageouttot"
)
_RULE = "-" * 80
_PAYLOADS = {"batch_script": ("job scripts", "Batch Script for {}"), "env_vars": ("job environment",
    "Environment used for {} (must be batch to display)")}


def main(shell: Shell | None = None) -> int:
    """Runs sacct and returns its exit status."""
    return run(shell or Shell.of_process("sacct"), _sacct, usage_code=1)


def _sacct(shell: Shell) -> int:
    resolved = resolve("sacct", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved) or _listed(shell, resolved):
        return 0
    if resolved.rest:
        raise OptionError("Unknown arguments:", exit_code=1, hints=[f"{word} is no option; jobs are named with -j"
            for word in resolved.rest])
    notes(shell, resolved)
    if resolved.flag("completion"):
        from slurm.commands import completion_log

        for line in completion_log.lines(shell, resolved):
            shell.stdout.write(f"{line}\n")
        return 0
    if resolved.settings.get("file") is not None:
        raise OptionError("--file names a job completion log: add --completion", exit_code=1)
    from slurm.commands import past_jobs, past_jobs_report

    columns = past_jobs_report.columns(_format(resolved))
    style = past_jobs_report.style(shell, resolved)
    payload = next((key for key in _PAYLOADS if resolved.flag(key)), "")
    if payload and resolved.settings.get("jobs") is None:
        what = _PAYLOADS[payload][0]
        raise OptionError(f"When requesting {what} you must also request specific jobs with the '-j' option.", exit_code=1, fatal=True)
    question = past_jobs.question(shell, resolved, past_jobs.known_qos(shell, resolved))
    if resolved.number("verbose"):
        states = [state.name for state in question.filters[0].states]
        shell.say(past_jobs.shown_window(question.window, states, shell.now()))
    report = past_jobs_report.Report(shell, resolved, question, style, past_jobs_report.door(shell))
    structure = wanted_style.structure(resolved)
    if payload:
        return report.payloads(payload, _PAYLOADS[payload][1], _RULE)
    if structure:
        return report.structured(structure)
    return report.table(columns)


def _listed(shell: Shell, resolved: Resolved) -> bool:
    """Whether one of the lists of words was asked for; prints it."""
    lines = [line for key, listed in _LISTS.items() if resolved.flag(key) for line in listed()]
    shell.stdout.write("".join(f"{line}\n" for line in lines))
    return bool(lines)


def _fields() -> Iterator[str]:
    from slurm.render import accounting_table, fields_accounting

    return accounting_table.names_in_columns(fields_accounting.JOB.names())


def _states() -> Iterator[str]:
    from slurm.model.states import STATE_NAMES

    return iter(STATE_NAMES)


def _reasons() -> Iterator[str]:
    from slurm.model.states import Reason

    return iter(sorted(word for name, word in vars(Reason).items() if name.isupper() and " " not in word and "{" not in word))


_LISTS = {"helpformat": _fields, "helpstate": _states, "helpreason": _reasons}


def _format(resolved: Resolved) -> str:
    brief_or_long = resolved.flag("brief") or resolved.flag("long")
    given = resolved.settings.get("format") is not None and not (brief_or_long and resolved.origins["format"] == "SACCT_FORMAT")
    asked = [resolved.text("format")] if given else []
    asked += [text for key, text in (("brief", BRIEF), ("long", LONG)) if resolved.flag(key)]
    return ",".join(text for text in asked if text.strip()) or DEFAULT
