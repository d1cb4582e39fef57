"""Every manual page, from the tables and `prose`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slurm.commands import sacctmgr, scontrol
from slurm.config import schema
from slurm.core import node_update, partition_update, update_keys
from slurm.manual import flags, prose
from slurm.manual.flags import Flag, Subcommand
from slurm.manual.meanings import MEANINGS
from slurm.manual.roff import Block, Code, Heading, Item, Page, Paragraph, Section, rendered
from slurm.model.version import VERSION
from slurm.options import policy_keys, tables, usage
from slurm.render import fields, fields_accounting

DATE = "2026-11-30"
"""Of the text: equal sources make equal pages, whenever they are made."""
_FIELDS = {"squeue": fields.JOB, "sinfo": fields.NODE, "sacct": fields_accounting.JOB, "sstat": fields_accounting.RUNNING_STEP}
_LINES = ("NodeName", "PartitionName", "NodeSet", "DownNodes")
_LIMITED = ("account", "user", "cluster", "qos")
_KINDS = {
    "list": "words with commas between", "uplist": "words with commas between", "int": "a number", "yesno": "yes or no", "bit": "0 or 1",
    "sec": "seconds", "min": "minutes", "mb": "MB", "span": "a length of time", "port": "a port", "ports": "a port", "user": "a user",
    "hosts": "host names",
    "host": "a host", "level": "a level", "rate": "nodes a minute", "weights": "NAME=FACTOR with commas between", "percent": "a percentage",
    "portion": "a percentage", "usec": "microseconds",
}


def pages() -> dict[str, str]:
    """The pages as troff, by file name below the folder of manual pages: "man1/sbatch.1"."""
    found = [*map(_command, tables.COMMANDS), _slurm(), *map(_subcommand, flags.of_slurm()), *map(_daemon, flags.DAEMONS),
        *map(_file, prose.FILES)]
    return {f"man{page.number}/{page.name}.{page.number}": rendered(page, date=DATE, source=f"slurm-py {VERSION}") for page in found}


def _command(name: str) -> Page:
    text = prose.COMMANDS[name]
    rows = flags.of_command(name)
    there = [row for row in rows if not row.missing]
    operands = usage.OPERANDS[name]
    sections = [
        Section("DESCRIPTION", tuple(map(Paragraph, text.description))),
        Section("KEYWORDS", tuple(_keywords(name))),
        Section("OPTIONS", tuple(_option(row) for row in there if not row.plugin)),
        Section("OPTIONS FOR CONTAINERS", tuple(_option(row) for row in there if row.plugin)),
        Section("NOT CARRIED OUT", tuple(Item(_head(row), f"{row.help[0].upper()}{row.help[1:]}. Refused: {row.missing}.") for row in rows
        if row.missing)),
        Section("FIELDS", tuple(Item(f"`{one.name}`" + (f" (`%{one.letter}`)" if one.letter else ""), one.doc)
        for one in _FIELDS[name].fields) if name in _FIELDS else ()),
        Section("ENVIRONMENT", tuple(_variables(name, rows))),
        Section("EXIT STATUS", (Paragraph("The exit status of the highest task, or 1 for its own errors." if name == "srun"
        else prose.EXIT),)),
        Section("EXAMPLES", tuple(_examples(text.examples))),
        Section("FILES", (Item("/etc/slurm/slurm.conf",
        "The cluster that is meant where SLURM_CONF names no other; without either, the one that `slurm up` started."),)),
        Section("SEE ALSO", (Paragraph(_references(text.also)),)),
    ]
    return Page(name, 1, _purpose(usage.PURPOSE[name]), (f"`{name}` [*options*] {operands}".rstrip(),), tuple(sections))


def _purpose(text: str) -> str:
    return text[0].lower() + text[1:].rstrip(".")


def _head(row: Flag) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    if not row.metavar:
        return names
    if row.optional:
        return f"{names}[`=`{row.metavar}]"
    return f"{names}{'=' if row.names[-1].startswith('--') else ' '}{row.metavar}"


def _option(row: Flag) -> Item:
    sentences = [f"{row.help[0].upper()}{row.help[1:]}." if row.help and row.help[0].isalpha() else f"{row.help}."]
    if row.note:
        sentences.append(f"Changes nothing here: {row.note}.")
    if row.plugin:
        sentences.append(f"As {row.plugin} has it.")
    if row.variables:
        sentences.append(f"Also {', '.join(row.variables)}.")
    if row.update:
        sentences.append(f"Changed by `scontrol update` {row.update}=.")
    return Item(_head(row), " ".join(sentences).replace("..", "."))


def _variables(name: str, rows: Iterable[Flag]) -> Iterator[Block]:
    for row in rows:
        for variable in row.variables:
            if not row.missing:
                yield Item(f"`{variable}`", f"As {row.names[-1]}.")
    yield Item("`SLURM_CONF`", "The slurm.conf of the cluster that is meant.")
    if name in ("squeue", "sinfo", "sacct", "scontrol"):
        yield Item("`SLURM_TIME_FORMAT`", "How times are shown: `standard`, `relative`, or a format of strftime(3).")


def _keywords(name: str) -> Iterator[Block]:
    if name == "scontrol":
        yield Paragraph("`show` *ENTITY* [*NAME*...] shows: " + ", ".join(f"`{word}`" for word in sorted({*scontrol_entities()})) + ".")
        yield Paragraph("Others: " + ", ".join(f"`{word}`" for word in sorted(scontrol.KEYWORDS) if word != "show") + ".")
        yield Paragraph("Not carried out: " + ", ".join(f"`{word}` ({why})" for word, why in sorted(scontrol.LATER.items())) + ".")
        yield Heading("What update changes")
        for entity, keys in updatable().items():
            yield Item(f"`{entity}=`*NAME*", ", ".join(f"`{key}=`" for key in keys))
    if name == "sacctmgr":
        yield Paragraph(", ".join(f"`{word}`" for word in sacctmgr.KEYWORDS))
        yield Heading("What is set")
        for entity in policy_entities():
            keys = [*policy_keys.names([key for key in policy_keys.SET if not key.refused], entity),
                *(policy_keys.limit_names(entity) if entity in _LIMITED else ())]
            if keys:
                yield Item(f"`{entity}`", ", ".join(f"`{key}=`" for key in keys))
        yield Heading("Which are meant")
        for entity in policy_entities():
            yield Item(f"`{entity}`", ", ".join(f"`{key}=`" for key in policy_keys.names(policy_keys.WHERE, entity)))


def scontrol_entities() -> tuple[str, ...]:
    """What `scontrol show` shows."""
    from slurm.commands.scontrol_show import SHOWN

    return SHOWN


def updatable() -> dict[str, list[str]]:
    """What `scontrol update` takes: the key that names what is meant → the keys that may be changed."""
    names = {"shared": "Shared", **{row.name.lower(): row.name for row in schema.section("PartitionName")}}
    return {
        "JobId": [key.shown for key in update_keys.KEYS.values()],
        "NodeName": list(node_update.SHOWN),
        "PartitionName": [names.get(key, key) for key in partition_update.KEYS],
    }


def policy_entities() -> tuple[str, ...]:
    """What sacctmgr changes."""
    return ("account", "user", "cluster", "qos", "coordinator", "wckey", "resource")


def _examples(examples: Iterable[tuple[str, str]]) -> Iterator[Block]:
    for text, lines in examples:
        yield Paragraph(text)
        yield Code(lines)


def _references(also: str) -> str:
    return ", ".join(re.sub(r"^(\S+)\((\d)\)$", r"`\1`(\2)", word) for word in also.split())


def _slurm() -> Page:
    rows = flags.of_slurm()
    return Page("slurm", 1, "a cluster on this machine in one command, and a view of the jobs of any Slurm",
        ("`slurm` *command* [*options*]",), (
        Section("DESCRIPTION", (
            Paragraph("`slurm up` makes this machine a cluster, without root and without a configuration; sbatch, srun, squeue and the "
                      "others find it by themselves. "
                "`slurm explain` says why a job waits, `slurm top` shows the queue on the whole screen. Each command has a page of its "
                "own."),
            Paragraph("Most commands print JSON with `--json`; what went wrong is then an object with `error`."),
        )),
        Section("COMMANDS", tuple(Item(f"`slurm {row.name}`", f"{row.text[0].upper()}{row.text[1:]}.") for row in rows)),
        Section("ENVIRONMENT", (
            Item("`SLURM_CONF`", "The slurm.conf of the cluster that is meant."),
            Item("`SLURM_PY_INSTANCE`", "Which of several clusters that `slurm up` started; `default` otherwise."),
        )),
        Section("SEE ALSO", (Paragraph(_references(" ".join([*(f"slurm-{row.name}(1)" for row in rows),
        "sbatch(1) squeue(1) slurm.conf(5)"]))),)),
    ))


def _subcommand(row: Subcommand) -> Page:
    def called(words: str, one: Subcommand) -> str:
        return " ".join([f"`slurm {words}`", "[*options*]", *(operand for operand, _ in one.operands)])

    blocks: list[Block] = []
    for one in row.below:
        blocks += [Heading(f"slurm {row.name} {one.name}"), Paragraph(f"{one.text[0].upper()}{one.text[1:]}."), *_of_subcommand(one)]
    return Page(f"slurm-{row.name}", 1, row.text, tuple(called(f"{row.name} {one.name}", one) for one in row.below)
        or (called(row.name, row),), (
        Section("DESCRIPTION", (Paragraph(f"{row.text[0].upper()}{row.text[1:]}."),)),
        Section("COMMANDS", tuple(blocks)),
        Section("OPTIONS", () if row.below else tuple(_of_subcommand(row))),
        Section("SEE ALSO", (Paragraph("`slurm`(1)"),)),
    ))


def _of_subcommand(one: Subcommand) -> Iterator[Block]:
    for operand, text in one.operands:
        yield Item(operand, f"{text}.")
    for flag in one.flags:
        yield _option(flag)


def _daemon(name: str) -> Page:
    text = prose.DAEMONS[name]
    operands = {"slurmrestd": " [[*HOST*]:*PORT*|https://[*HOST*]:*PORT*|unix:/*PATH*...]"}.get(name, "")
    return Page(name, 8, _DAEMON_PURPOSES[name], (f"`{name}` [*options*]{operands}",), (
        Section("DESCRIPTION", tuple(map(Paragraph, text.description))),
        Section("OPTIONS", tuple(_option(row) for row in flags.of_daemon(name))),
        Section("ENVIRONMENT", (Item("`SLURM_CONF`", "The slurm.conf to use where `-f` names none."),)),
        Section("EXIT STATUS", (Paragraph("0 after an orderly end, 1 when it could not start."),)),
        Section("EXAMPLES", tuple(_examples(text.examples))),
        Section("SEE ALSO", (Paragraph(_references(text.also)),)),
    ))


_DAEMON_PURPOSES = {
    "slurmctld": "controller of a cluster", "slurmd": "daemon of a node", "slurmdbd": "accounting of clusters in a database",
    "slurmrestd": "Slurm's REST API and web page",
    "sackd": "carries the commands of a login node to slurmctld",
}


def _file(name: str) -> Page:
    purpose, description, also = prose.FILES[name]
    sections = [Section("DESCRIPTION", tuple(map(Paragraph, description))), Section("KEYS", tuple(_keys(name)))]
    if name == "slurm.conf":
        sections.append(Section("WORDS OF KEYS", tuple(_words())))
        for line in _LINES:
            sections.append(Section(f"{line.upper()} LINES", tuple(_keys(line))))
    sections += [Section("NOT CARRIED OUT", tuple(_missing((name, *_LINES) if name == "slurm.conf" else (name,)))),
        Section("EXAMPLES", (Code(prose.FILE_EXAMPLES[name]),)), Section("SEE ALSO", (Paragraph(_references(also)),))]
    return Page(name, 5, purpose, (f"/etc/slurm/{name}",), tuple(sections))


def _keys(name: str) -> Iterator[Item]:
    for row in sorted(schema.section(name), key=lambda row: row.name.lower()):
        if row.standing == schema.EFFECTIVE:
            choices = f"One of {', '.join(f'`{word}`' for word in row.choices)}." if row.choices else ""
            kind = _KINDS.get(row.kind, "")
            told = [MEANINGS[name].get(row.name, ""), choices, f"Value: {kind}." if kind and not choices else "",
                f"Default: {row.default}." if row.default.strip('"') else ""]
            yield Item(f"`{row.name}`", " ".join(filter(None, told)))
        elif row.standing == schema.HARMLESS and row.note:
            yield Item(f"`{row.name}`", f"Read, and changes nothing here: {row.note}.")


def _words() -> Iterator[Item]:
    for row in sorted(schema.section("slurm.conf"), key=lambda row: row.name.lower()):
        words = schema.switches(row.name)
        if words:
            known = [word for word, standing in words.items() if standing != schema.NOT_YET]
            later = [word for word, standing in words.items() if standing == schema.NOT_YET]
            yield Item(f"`{row.name}`", ", ".join(f"`{word}`" for word in known) + "." + (f" Not carried out: {', '.join(later)}." if later
                else ""))


def _missing(names: Iterable[str]) -> Iterator[Item]:
    for name in names:
        for row in schema.section(name):
            if row.standing in (schema.NOT_YET, schema.OBSOLETE):
                where = f" (lines of {name})" if name in _LINES else ""
                yield Item(f"`{row.name}`{where}", f"{row.note[0].upper()}{row.note[1:]}.")


