"""sstat: asks what running steps use and lays it out."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.commands.shell import Shell, informed, notes, run
from slurm.model.errors import NotationError
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

DEFAULT = (
    "jobid,alloctres,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,maxrssnode,maxrsstask,averss,maxpages,maxpagesnode,"
    "maxpagestask,"
    "avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,avecpufreq,reqcpufreqmin,reqcpufreqmax,reqcpufreqgov,consumedenergy,maxdiskread,"
    "maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,maxdiskwritenode,maxdiskwritetask,avediskwrite,tresusageinave,tresusageinmax,"
    "tresusageinmaxnode,tresusageinmaxtask,tresusageinmin,tresusageinminnode,tresusageinmintask,tresusageintot,tresusageoutave,"
    "tresusageoutmax,"
    "tresusageoutmaxnode,tresusageoutmaxtask,tresusageoutmin,tresusageoutminnode,tresusageoutmintask,tresusageouttot"
)
PIDS = "jobid,nodelist,pids"


def main(shell: Shell | None = None) -> int:
    """Runs sstat and returns its exit status."""
    return run(shell or Shell.of_process("sstat"), _sstat, usage_code=1)


def _sstat(shell: Shell) -> int:
    resolved = resolve("sstat", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    from slurm.render import accounting_table, fields_accounting

    if resolved.flag("helpformat"):
        for line in accounting_table.names_in_columns(fields_accounting.RUNNING_STEP.names()):
            shell.stdout.write(f"{line}\n")
        return 0
    notes(shell, resolved)
    columns = accounting_table.parse(_format(resolved), fields_accounting.RUNNING_STEP)
    ids = [*_ids(resolved.text("jobs")), *(one for word in resolved.rest for one in _ids(word))]
    if not ids:
        raise OptionError("You didn't give me any jobs to stat.", exit_code=1, hints=["write sstat -j JOB, or sstat -j JOB.STEP"])
    from slurm.commands import running_steps  # typed answers cost a command 10 ms that those above do not pay

    fields = [column.field for column in columns]
    rows = running_steps.rows(shell, ids, fields, all_steps=resolved.flag("allsteps"), convert=not resolved.flag("noconvert"),
                              verbose=bool(resolved.number("verbose")))
    header = not resolved.flag("noheader")
    if resolved.flag("parsable") or resolved.flag("parsable2"):
        lines = accounting_table.parsable(columns, rows, header=header, ending=not resolved.flag("parsable2"))
    else:
        lines = accounting_table.lines(columns, rows, header=header)
    for line in lines:
        shell.stdout.write(f"{line}\n")
    return 0


def _format(resolved: Resolved) -> str:
    if resolved.flag("pidformat"):
        return PIDS
    asked = [resolved.text(key) for key in ("format", "fields") if resolved.settings.get(key) is not None]
    return ",".join(asked) or DEFAULT


def _ids(text: str) -> Iterator[str]:
    """References between commas; OptionError in Slurm's words."""
    from slurm.notation import jobref

    for one in (piece.strip() for piece in text.split(",")):
        if not one:
            continue
        try:
            yield jobref.parse(one).show()
        except NotationError as error:
            raise OptionError(f"Bad job/step specified: {one}", exit_code=1, fatal=True, hints=[error.message]) from error
