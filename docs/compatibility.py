"""Writes docs/compatibility.md from the tables of the package and from docs/differences.md.

python docs/compatibility.py           writes the page
python docs/compatibility.py --check   status 1 when the page is not what the tables say
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from slurm.config import schema
from slurm.options import option as options
from slurm.options import tables, usage
from slurm.render import fields, fields_accounting
from slurm.slurmrestd import job_description
from slurm.slurmrestd import table as api

HERE = Path(__file__).resolve().parent
PAGE = HERE / "compatibility.md"

INTRODUCTION = """\
# Compatibility

What of Slurm works here, row by row. Written by `make docs` from `src/slurm/options`, `src/slurm/config`, `src/slurm/render` and `src/slurm/slurmrestd`; the first
part is `docs/differences.md`. *Works* is what Slurm does; *accepted* changes nothing, and the note says why; *only hints*: taken with one
warning, which is the note, since no result is wrong without it; *not yet* is refused (an option) or warned of (a configuration key) with
the sentence in the note, until the issue that is named is done; *never* is refused or warned of likewise, and is not planned for, for the
reason in the note; *obsolete* is a key that Slurm had once: one warning, and nothing else. What stands in no row is refused as unknown.

"""

STANDING = {
    options.EFFECTIVE: "works",
    options.HARMLESS: "accepted",
    options.HINT: "only hints",
    options.DECLINED: "not yet",
    options.REFUSED: "not yet",
    schema.NOT_YET: "not yet",
    schema.OBSOLETE: "obsolete",
}

NEVER = 0
PLANS = {
    "front end nodes are gone from Slurm": NEVER,
    "front end nodes are gone from Slurm; nodes run their own slurmd": NEVER,
    "it is about steps, which srun makes": NEVER,
    "there are no burst buffers": NEVER,
    "no accounting daemon is contacted": NEVER,
    "there are no federations": NEVER,
    "slurmstepd makes containers itself: no runtime can be chosen, and none would know the name": NEVER,
    "bundles are run by slurmstepd itself, the one way there is": NEVER,
    "the scheduler has no log file of its own": NEVER,
    "the daemons do not answer HTTP": NEVER,
    "only its metrics are told by HTTP": NEVER,
    "slurmrestd has its options on its command line": NEVER,
    "slurmd does not answer HTTP": NEVER,
    "tasks are not bound to CPUs": 14,
    "tasks are not bound to memory": 14,
    "tasks are bound as their srun asks, else where there is just enough for them": 14,
    "switches are not programmed": NEVER,
    "slurmdbd takes no tokens": 16,
    "slurmctld does not hear of the database behind slurmdbd": 18,
    "sbcast sends a file as it is, to where it says": 14,
    "sbcast goes the way of every step": NEVER,
    "prologs and epilogs are the programs of Prolog= and its kin, no plugins": 17,
    "power is not managed": NEVER,
    "Slurm itself took power management of jobs away": NEVER,
    "nodes are chosen by sockets, not by boards": NEVER,
    "tasks are counted by sockets, not by boards": NEVER,
    "no site factor is asked for": 12,
    "there is no site factor of priorities": 12,
    "no such parameter is known": 12,
    "no sensors are read": NEVER,
    "no script is run when a job's folders go": 14,
    "no script is run in a job's namespace": 14,
    "no script is run before a job's folders are made": 14,
    "the tasks of a step have the folders, slurmstepd has not": 14,
    "ports are kept for steps: give it to srun": NEVER,
    "libraries are not sent": 14,
    "libraries are not copied to nodes": 14,
    "a copy needs a job on its nodes": 14,
    "jobs carry no security label": NEVER,
    "there is no multi-category security": NEVER,
    "there are no SELinux contexts of jobs": NEVER,
    "daemons issue their own certificates from slurm.key: no script is called": NEVER,
    "certificates come from slurm.key or from `slurm cert make`: no script is called": NEVER,
    "a command speaks to one cluster, the one of SLURM_CONF": 13,
    "an allocation of another cluster is not attached to from here: run it there, or use sbatch": 13,
    "JSON is written the one way there is": NEVER,
    "one version of the JSON output exists": NEVER,
    "CPU frequencies are left alone": NEVER,
    "GPU frequencies are left alone": NEVER,
    "which tasks end when memory runs out cannot be chosen": 14,
    "the memory of a running job stays as it was given": 14,
    "virtual memory is not limited": 14,
    "there are no SPANK plug-ins": NEVER,
    "the login environment is read without a limit of its own": 14,
    "nobody waits here for a batch job to start": NEVER,
    "slurmctld numbers jobs": NEVER,
    "scrontab makes such jobs": NEVER,
    "slurmctld calls nobody back: whoever allocated asks for the job": NEVER,
    "a job has the CPUs of its tasks": NEVER,
    "a job ends by its time limit or its deadline": NEVER,
    "tasks are not started for a debugger": NEVER,
    "slurmstepd has no such switches": NEVER,
    "slurmdbd listens at all addresses of IPv4": 18,
    "slurmctld loads no plugins": 17,
    "signals go to tasks, or with --full to every process": 14,
    "records wait on disk: there is no buffer that could be full": NEVER,
    "only the controllers that jobs are held by are enabled": NEVER,
    "nodes of a cluster whose slurmctld is away are not counted as down": 11,
    "nodes are chosen by their Weight only": 13,
    "no cores are set aside for GPUs": 15,
    "node parameters are not known": 13,
    "node limits are not known": 13,
    "no time series of jobs are kept (HDF5, InfluxDB); their sums and peaks are, and sstat tells of now": 11,
    "filesystem traffic is not measured": 11,
    "network traffic is not measured": 11,
    "no node gets the state FAIL": NEVER,
    "licences of a hierarchy of resources are not counted": NEVER,
    "hierarchical resources are not planned for": NEVER,
    "features of just the batch host are not planned for": 13,
    "features cannot be changed by a reboot": 17,
    "every node is as near as any other": 13,
    "connections are made the one way there is": 18,
    "an attempt to connect to the database lasts five seconds and is repeated": NEVER,
    "an attempt to connect lasts five seconds and is repeated": NEVER,
    "a step needs an allocation": 14,
    "a step ends with its srun": 14,
    "a change is made as the user that asks for it": 14,
    "PAM is not asked": 14,
}
"""The note of what is not carried out → the issue that will change it, or NEVER. tests/meta/test_tables.py holds the two together."""


def unplanned() -> list[str]:
    """Notes of rows that are not carried out of which nobody says when they will be, and plans for notes that there are not."""
    notes = {note for note, _ in _not_carried_out()}
    return sorted(notes ^ PLANS.keys())


def _not_carried_out() -> Iterator[tuple[str, str]]:
    """(note, name) of every row that is refused or warned of."""
    refused = {options.DECLINED, options.REFUSED}
    yield from ((row.note, row.name) for command in tables.COMMANDS for row in tables.rows(command) if row.status in refused)
    yield from ((row.note, row.name) for name in schema.SECTIONS for row in schema.section(name) if row.standing == schema.NOT_YET)
    yield from ((why, name) for name, why in api.REFUSED.items())
    yield from ((one.refused, one.name) for one in job_description.FIELDS if one.refused)


def _standing(status: str, note: str) -> tuple[str, str]:
    """What stands in the two cells of a row."""
    word = STANDING[status]
    if word != "not yet" or note not in PLANS:
        return word, note
    return ("never", f"because {note}") if PLANS[note] == NEVER else (word, f"{note} (issue {PLANS[note]})")


def page() -> str:
    """The whole page."""
    differences = (HERE / "differences.md").read_text(encoding="utf-8")
    return INTRODUCTION + "\n".join(chain([differences], _commands(), _options(), _keys(), _fields(), _operations())) + "\n"


def _commands() -> Iterator[str]:
    yield "## Commands\n"
    works = ((f"`{name}`", STANDING[options.EFFECTIVE], usage.PURPOSE[name], "") for name in tables.COMMANDS)
    yield from _table(("command", "standing", "what it does", "note"), works)


def _options() -> Iterator[str]:
    yield "## Options\n"
    submitting = [command for command in tables.COMMANDS if command in options.JOB_COMMANDS]
    yield from _option_table("sbatch, srun, salloc", list(dict.fromkeys(row for command in submitting for row in tables.rows(command))))
    for command in tables.COMMANDS:
        if command not in submitting:
            yield from _option_table(command, tables.rows(command))


def _option_table(title: str, rows: Iterable[options.Option]) -> Iterator[str]:
    yield f"### {title}\n"
    yield from _table(
        ("option", "of", "standing", "what it does", "note"),
        ((_flag(row), row.commands.replace(" ", ", "), standing, row.help, note)
         for row in rows for standing, note in [_standing(row.status, row.note)]),
    )


def _flag(row: options.Option) -> str:
    letter = f"`-{row.short}` " if row.short else ""
    argument = f"={row.metavar or 'VALUE'}" if row.takes_argument else f"[={row.metavar or 'VALUE'}]" if row.allows_argument else ""
    return f"{letter}`--{row.name}{argument}`"


def _keys() -> Iterator[str]:
    yield "## Configuration keys\n"
    for name in schema.SECTIONS:
        yield f"### {name}\n"
        rows = schema.section(name)
        yield from _table(("key", "default", "standing", "note"), (
            (f"`{r.name}`", r.default, *_standing(r.standing, r.note)) for r in rows))


def _fields() -> Iterator[str]:
    yield "## Report fields\n"
    tables_of_fields = (("Jobs", fields.JOB), ("Steps", fields.STEP), ("Nodes and partitions", fields.NODE), ("Past jobs (sacct)", fields_accounting.JOB),
                        ("Running steps (sstat)", fields_accounting.RUNNING_STEP))
    for title, table in tables_of_fields:
        yield f"### {title}\n"
        yield from _table(
            ("field", "letter", "header", "what it shows"),
            ((f"`{f.name}`", f"`%{f.letter}`" if f.letter else "", f.header, f.doc) for f in table.fields),
        )


def _operations() -> Iterator[str]:
    yield "## REST API\n"
    works = ((one.name, STANDING[options.EFFECTIVE], one.handler.__doc__ or "") for one in api.OPERATIONS)
    refused = ((name, standing, f"501: {note}") for name, why in api.REFUSED.items() for standing, note in [_standing(options.REFUSED, why)])
    yield from _table(("operation", "standing", "note"), ((f"`{name}`", standing, note) for name, standing, note in chain(works, refused)))
    yield "### Fields of a job description\n"
    yield from _table(("field", "standing", "note"), (
        (f"`{one.name}`", *_standing(options.REFUSED if one.refused else options.EFFECTIVE, one.refused)) for one in job_description.FIELDS))


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(headings) + " |"
    yield "| " + " | ".join("---" for _ in headings) + " |"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def main() -> int:
    """Writes or checks the page."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/compatibility.md is not what the tables say: run `make docs` and commit it", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
