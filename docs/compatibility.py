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
the sentence in the note; *obsolete* is a key that Slurm had once: one warning, and nothing else. What stands in no row is refused as unknown.

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
        ((_flag(row), row.commands.replace(" ", ", "), STANDING[row.status], row.help, row.note) for row in rows),
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
        yield from _table(("key", "default", "standing", "note"), ((f"`{r.name}`", r.default, STANDING[r.standing], r.note) for r in rows))


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
    refused = ((name, STANDING[options.REFUSED], f"501: {why}") for name, why in api.REFUSED.items())
    yield from _table(("operation", "standing", "note"), ((f"`{name}`", standing, note) for name, standing, note in chain(works, refused)))
    yield "### Fields of a job description\n"
    yield from _table(("field", "standing", "note"), (
        (f"`{one.name}`", STANDING[options.REFUSED if one.refused else options.EFFECTIVE], one.refused) for one in job_description.FIELDS))


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
