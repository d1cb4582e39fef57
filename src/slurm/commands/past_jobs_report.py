"""What sacct does with an answer: tables, JSON and YAML, scripts and environments."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import msgspec

from slurm.client.accounting import Accounting, ClusterAccounting
from slurm.commands import caller, past_jobs
from slurm.commands.shell import Shell
from slurm.model.accounting import JobRow
from slurm.model.ids import JobId
from slurm.notation import array
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render import accounting_entry, accounting_table, accounting_values, fields_accounting
from slurm.render.accounting_entry import Entry, Style
from slurm.render.accounting_table import Column

_UNITS = "KMGTP"


def columns(text: str) -> list[Column]:
    """The columns of --format; OptionError names what is no field."""
    return accounting_table.parse(text, fields_accounting.JOB)


def style(shell: Shell, resolved: Resolved) -> Style:
    """How texts are to be written; OptionError for a unit that is none."""
    unit = resolved.text("units").upper()
    if resolved.settings.get("units") is not None and (len(unit) != 1 or unit not in _UNITS):
        first = f"Invalid unit type '{resolved.text('units')[:1]}'. Possible options are '{_UNITS}'"
        raise OptionError("Invalid unit type", exit_code=1, fatal=True, preface=[first])
    length = shell.environ.get("SLURM_BITSTR_LEN", "")
    return Style(
        shell.now(), shell.environ.get("SLURM_TIME_FORMAT", ""), not resolved.flag("noconvert"), unit,
        int(length) if length.isascii() and length.isdigit() else accounting_entry.ARRAY_LENGTH,
        _local_uids() if resolved.flag("use_local_uid") else {}, resolved.flag("expand_patterns") or resolved.flag("expand_pattern"))


def door(shell: Shell) -> Accounting:
    """The accounting of the cluster that the environment leads to."""
    return ClusterAccounting(shell.accounting_channel())


def _local_uids() -> dict[str, int]:
    import pwd

    return {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}


class Report:
    """One question and what is made of its answer."""

    def __init__(self, shell: Shell, resolved: Resolved, question: past_jobs.Question, style: Style, door: Accounting) -> None:
        self._shell = shell
        self._resolved = resolved
        self._question = question
        self._style = style
        self._door = door

    def table(self, asked: list[Column]) -> int:
        """Writes the lines as they come."""
        fields = [column.field for column in asked]
        entries = self._entries()
        first = next(entries, None)
        if first is None:
            self._explain_nothing()
        cells = (accounting_values.cells(entry, fields, self._style) for entry in itertools.chain([first] if first is not None else [],
            entries))
        header = not self._resolved.flag("noheader")
        if self._resolved.flag("parsable") or self._resolved.flag("parsable2"):
            delimiter = self._resolved.text("delimiter", "|")
            ending = not self._resolved.flag("parsable2")
            lines = accounting_table.parsable(asked, cells, header=header, delimiter=delimiter, ending=ending)
        else:
            lines = accounting_table.lines(asked, cells, header=header)
        for line in lines:
            self._shell.stdout.write(f"{line}\n")
        return 0

    def structured(self, form: str) -> int:
        """Writes everything as JSON or YAML."""
        from slurm.render import accounting_json, json_text

        names = _Names()
        shown = not self._resolved.flag("allocations")
        records = [accounting_json.job_record(row, self._style, names, steps=shown) for row in self._rows()]
        end = json_text.closing(self._door.cluster, *caller.names(), ["sacct", *self._shell.argv])
        self._shell.stdout.write(json_text.encode({"jobs": records, **end}, form))
        return 0

    def payloads(self, key: str, title: str, rule: str) -> int:
        """Writes the scripts or environments of the jobs."""
        for row in self._rows():
            digest = row.job.script if key == "batch_script" else row.job.environment
            content = self._door.payload(digest) if digest else None
            text = content.replace("\0", "\n") if content else "NONE"
            self._shell.stdout.write(f"{title.format(accounting_entry.job_id(row.job))}\n{rule}\n{text.rstrip(chr(10))}\n\n")
        return 0

    def _explain_nothing(self) -> None:
        """Of an answer without jobs: OptionError for a user who does not exist, a hint where the window is a moment that jobs cannot end
        in."""
        past_jobs.check_users(self._question.filters[0].users)
        window = self._question.window
        if self._resolved.settings.get("starttime") is not None and window.until == window.since + 1:
            self._shell.hints(["with --state and no --endtime sacct looks at the moment of --starttime only; add --endtime=now for all "
                               "since then"])

    def _entries(self) -> Iterator[Entry]:
        steps = not self._resolved.flag("allocations")
        for entry in accounting_entry.entries(self._rows(), steps=steps):
            if entry.step is not None or not self._question.only_steps:
                yield entry

    def _rows(self) -> Iterator[JobRow]:
        """The rows of every filter in the database's order, each once, as --truncate and --array want them."""
        answers = [self._door.jobs(wanted) for wanted in self._question.filters]
        if len(answers) > 1:
            import heapq  # hardly a question is made of two

            merged: Iterable[JobRow] = heapq.merge(*answers, key=lambda row: row.index)
        else:
            merged = answers[0]
        last: tuple[str, int] | None = None
        for row in merged:
            if len(answers) > 1 and (row.cluster, row.index) == last:
                continue
            last = (row.cluster, row.index)
            kept = self._question.keeps(row)
            if kept is not None:
                yield from self._shaped(kept)

    def _shaped(self, row: JobRow) -> Iterable[JobRow]:
        if self._resolved.flag("truncate"):
            row = accounting_entry.clipped(row, self._question.window.since, self._question.window.until or self._shell.now())
        return _tasks(row) if self._resolved.flag("array") and row.job.array_tasks else [row]


def _tasks(row: JobRow) -> Iterator[JobRow]:
    """One row a task of an array that waits."""
    for task in array.parse(row.job.array_tasks).tasks:
        job = msgspec.structs.replace(row.job, array_task=task, array_tasks="", id=JobId(row.job.array_job or row.job.id))
        yield JobRow(row.cluster, row.index, job, row.steps)


class _Names(dict[int, str]):
    """uid → name on this machine, looked up when it is asked for."""

    def get(self, uid: int, default: str = "") -> str:  # type: ignore[override]
        """The user's name, else `default`."""
        import pwd

        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return default
