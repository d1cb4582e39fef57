"""The table of everything that may be written in a configuration file, and how to ask it.

Lives here: the row type, the sections and the look-up. The rows themselves are text in `schema_slurm` (slurm.conf's own keys),
`schema_slurmdbd` and `schema_lines` (node, partition and the other files' lines), so that a command that reads a configuration pays for the
sections it meets only. Not here: reading a value (`values`), reading a file (`reader`).
"""

from __future__ import annotations

from collections.abc import Iterator

EFFECTIVE = "effective"
HARMLESS = "harmless"
NOT_YET = "not yet"
OBSOLETE = "obsolete"

UNITS = {"sec": "sec", "min": "min", "usec": "usec", "percent": "percent", "rate": "nodes/min"}
"""Kind of value → the unit that `scontrol show config` prints behind it; kinds that are missing here print none."""


class Row:
    """One configuration key: what it holds and what we do with it.

    `kind` is a key of `values.READERS`; `default` is the text that stands when the key is not written ("" for none);
    `standing` is EFFECTIVE, HARMLESS (accepted, `note` says why it changes nothing), NOT_YET (one warning when it is
    written, `note` says what does not happen) or OBSOLETE (Slurm itself has it no more; one warning, `note` says what took its place).
    `always` warns even where the value written is the default, because that default is not carried out either. `choices` lists the words a
    "choice" takes. `shown` says that `scontrol show config` prints it.
    """

    __slots__ = ("always", "choices", "default", "kind", "name", "note", "shown", "standing")

    def __init__(self, line: str, shown: bool) -> None:
        """Read one line of the table's text: name | kind | default | standing | note."""
        self.name, kind, self.default, standing, self.note = (field.strip() for field in line.split("|", 4))
        self.kind, _, choices = kind.partition(":")
        self.standing = _STANDINGS[standing.rstrip("!")]
        self.always = standing.endswith("!")
        self.choices = tuple(choices.split(",")) if choices else ()
        self.shown = shown

    @property
    def unit(self) -> str:
        """The unit as shown behind the value, "" for none."""
        return UNITS.get(self.kind, "")


class Section:
    """The rows of one file, or of one kind of line in it, in table order; names are looked up without regard to case.

    A row is built when it is asked for: a command asks for a dozen of the two hundred.
    """

    __slots__ = ("_built", "_lines", "name")

    def __init__(self, name: str, texts: tuple[tuple[str, bool], ...], aliases: dict[str, str]) -> None:
        self.name = name
        self._lines: dict[str, tuple[str, bool]] = {}
        for text, shown in texts:
            for line in text.strip().splitlines():
                self._lines[line.partition(" |")[0].lower()] = (line, shown)
        self._built: dict[str, Row] = {}
        for alias, target in aliases.items():
            self._built[alias.lower()] = self[target]

    def get(self, name: str) -> Row | None:
        """The row of this key or of its older name, or None."""
        key = name.lower()
        row = self._built.get(key)
        if row is None and key in self._lines:
            row = self._built[key] = Row(*self._lines[key])
        return row

    def __getitem__(self, name: str) -> Row:
        row = self.get(name)
        if row is None:
            raise KeyError(name)
        return row

    def __iter__(self) -> Iterator[Row]:
        return (self[name] for name in self._lines)

    def __len__(self) -> int:
        return len(self._lines)


SECTIONS = (
    "slurm.conf", "NodeName", "PartitionName", "NodeSet", "DownNodes", "FrontendName", "gres.conf", "cgroup.conf", "job_container.conf",
    "slurmdbd.conf",
    "topology.conf",
)
"""Every section there is. Those without a dot are lines of slurm.conf that begin with that key."""

_built: dict[str, Section] = {}


def section(name: str) -> Section:
    """The section of that name (one of SECTIONS), built at first use."""
    found = _built.get(name)
    if found is None:
        found = _built[name] = _build(name)
    return found


def switches(key: str) -> dict[str, str] | None:
    """The standings of the switches of a key of slurm.conf that is carried out in part, None where the key has none."""
    from slurm.config import schema_slurm
    found = schema_slurm.PARAMETERS.get(key)
    return None if found is None else {name: _STANDINGS[word] for name, word in found.items()}


def _build(name: str) -> Section:
    if name == "slurm.conf":
        from slurm.config import schema_slurm
        return Section(name, ((schema_slurm.SHOWN, True), (schema_slurm.UNSHOWN, False)), schema_slurm.ALIASES)
    if name == "slurmdbd.conf":
        from slurm.config import schema_slurmdbd
        return Section(name, ((schema_slurmdbd.SLURMDBD, False),), {})
    from slurm.config import schema_lines
    return Section(name, ((schema_lines.TEXTS[name], False),), schema_lines.ALIASES.get(name, {}))


_STANDINGS = {"yes": EFFECTIVE, "ok": HARMLESS, "later": NOT_YET, "old": OBSOLETE}
