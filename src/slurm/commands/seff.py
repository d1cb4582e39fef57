"""seff: how much of what a job held it used. Numbers that nobody measured are not made up."""

from __future__ import annotations

from slurm.commands.shell import Shell, informed, notes, run
from slurm.model.errors import NotationError, NotFound
from slurm.options.errors import OptionError
from slurm.options.resolve import resolve


def main(shell: Shell | None = None) -> int:
    """Runs seff and returns its exit status."""
    return run(shell or Shell.of_process("seff"), _seff, usage_code=1)


def _seff(shell: Shell) -> int:
    resolved = resolve("seff", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    if len(resolved.rest) != 1:
        raise OptionError("give one job", exit_code=1, hints=["write seff JOB, or seff JOB_TASK"])
    from slurm.notation import jobref

    try:
        reference = jobref.parse(resolved.rest[0])
    except NotationError as error:
        raise OptionError(f"Invalid job id: {resolved.rest[0]}", exit_code=1, hints=[error.message]) from error
    from slurm.client.accounting import ClusterAccounting
    from slurm.model.accounting import JobFilter
    from slurm.model.ids import JobId

    tasks: list[int | None] = [None] if reference.tasks is None else list(reference.tasks)
    wanted = JobFilter(jobs=[(JobId(reference.job), task, None) for task in tasks], clusters=resolved.texts("clusters"))
    channel = shell.accounting_channel()
    try:
        rows = list(ClusterAccounting(channel).jobs(wanted))
    finally:
        channel.close()
    if not rows:
        raise NotFound(message="Job not found.", hints=[f"accounting knows no job {resolved.rest[0]}"])
    from slurm.render import efficiency_text

    for number, row in enumerate(rows):
        shell.stdout.write("\n" if number else "")
        for line in efficiency_text.lines(row, shell.now()):
            shell.out(line)
    return 0
