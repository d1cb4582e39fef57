"""How squeue's and sinfo's -o and -O are read, and how rows of texts become lines. The fields themselves are in `fields`.

Light: user commands import it. What a cell says is decided where the records are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slurm.notation.printable import printable
from slurm.render.fields import Field, Table

LONG_WIDTH = 20
"""Characters of a field of -O that names no width."""
AUTOMATIC = -1
"""A width that follows from the cells: at least AUTOMATIC_LEAST characters. Written `%#N`."""
AUTOMATIC_LEAST = 9

JOBS = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
JOBS_LONG = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
JOBS_START = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R"
STEPS = "%.15i %.8j %.9P %.8u %.9M %N"
NODES = "%#P %.5a %.10l %.6D %.6t %N"
NODES_LONG = "%#P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %.11i %N"
NODES_SUMMARY = "%#P %.5a %.10l %.16F %N"
NODES_BY_NODE = "%#N %.6D %.#P %6t"
NODES_BY_NODE_LONG = "%#N %.6D %.#P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E"
REASONS = "%20E %9u %19H %N"
REASONS_LONG = "%20E %12U %19H %6t %N"
_ALL_JOB_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALL_NODE_LETTERS = "abcdefghilmnoprstuvwzABCDEFGHILMNOPRSTUVXYZ"
ALL_JOBS = "|".join(f"%{letter}" for letter in _ALL_JOB_LETTERS)
"""What `squeue -o %all` stands for."""
ALL_NODES = "".join(f"%{letter}|" if letter.islower() else f"%{letter} |" for letter in _ALL_NODE_LETTERS)[:-1]
"""What `sinfo -o %all` stands for; Slurm puts a blank behind each field from %A on."""


class Column:
    """One field of a line and the text behind it. `width` 0: as long as the text, AUTOMATIC: as long as the longest."""

    __slots__ = ("field", "right", "suffix", "width")

    def __init__(self, field: Field, width: int = 0, right: bool = False, suffix: str = "") -> None:
        self.field = field
        self.width = width
        self.right = right
        self.suffix = suffix


class Layout:
    """A line's columns; `prefix` stands before the first. `unknown` are the fields that were asked for and do not exist."""

    __slots__ = ("columns", "prefix", "unknown")

    def __init__(self, columns: list[Column], prefix: str = "", unknown: tuple[str, ...] = ()) -> None:
        self.columns = columns
        self.prefix = prefix
        self.unknown = unknown

    @property
    def names(self) -> list[str]:
        """The names of the fields, in order, as a request carries them."""
        return [column.field.name for column in self.columns]

    @property
    def header(self) -> list[str]:
        """The header cells."""
        return [column.field.header for column in self.columns]


def parse_short(text: str, table: Table, all_fields: str = "") -> Layout:
    """Reads -o: `%[[.]width]letter` with any text between; `.` justifies right. `%all` in it stands for `all_fields`."""
    if all_fields:
        text = text.replace("%all", all_fields)
    prefix, *pieces = text.split("%")
    columns: list[Column] = []
    unknown: list[str] = []
    for piece in pieces:
        body = piece.lstrip(".")
        automatic = body.startswith("#")
        rest = body[1:] if automatic else body.lstrip("0123456789")
        digits = "" if automatic else body[: len(body) - len(rest)]
        field = table.by_letter.get(rest[:1])
        if field is None:
            if rest[:1]:
                unknown.append(rest[:1])
                prefix = _written(columns, prefix, f"%{piece}")
            continue
        width = AUTOMATIC if automatic else int(digits[:6] or 0)
        columns.append(Column(field, width, body != piece, rest[1:]))
    return Layout(columns, prefix, tuple(unknown))


def _written(columns: list[Column], prefix: str, text: str) -> str:
    """Puts text where it stands in a format, behind the columns so far: what stands before the first."""
    if not columns:
        return prefix + text
    columns[-1].suffix += text
    return prefix


def parse_long(text: str, table: Table) -> Layout:
    """Reads -O: `name[:[.][width][suffix]],…`; without a colon LONG_WIDTH, with one and no width the whole text, then the suffix."""
    columns: list[Column] = []
    unknown: list[str] = []
    for piece in text.split(","):
        name, colon, rest = piece.partition(":")
        field = table.by_name.get(name.strip().lower())
        if field is None:
            unknown.append(name.strip())
            continue
        right = rest.startswith(".")
        rest = rest[1:] if right else rest
        suffix = rest.lstrip("0123456789")
        width = int(rest[: len(rest) - len(suffix)][:6] or (0 if colon else LONG_WIDTH))
        columns.append(Column(field, width, right, suffix))
    return Layout(columns, "", tuple(unknown))


def lines(layout: Layout, rows: Iterable[Sequence[str]], *, header: bool = True) -> list[str]:
    """The table as lines: cells longer than their width are cut, shorter ones padded, as Slurm does, trailing blanks included."""
    cells = [tuple(row) for row in rows]
    for index, column in enumerate(layout.columns):
        if column.field.mark and column.width > 0:
            cells = [_marked(row, index, column.width, column.field.mark) for row in cells]
    top = tuple(layout.header)
    widths = _widths(layout, [top, *cells] if header else cells)
    pattern = _pattern(layout, widths, all_cut=False)
    shown = [line if (line := pattern % row).isprintable() else pattern % tuple(map(printable, row)) for row in cells]
    return [_pattern(layout, widths, all_cut=True) % top, *shown] if header else shown


def _marked(row: tuple[str, ...], index: int, width: int, mark: str) -> tuple[str, ...]:
    """The row with a cell that is cut before its mark, which says more than the letter in its place."""
    cell = row[index]
    return row if len(cell) <= width or not cell.endswith(mark) else (*row[:index], cell[: width - 1] + mark, *row[index + 1:])


def _widths(layout: Layout, cells: list[tuple[str, ...]]) -> list[int]:
    return [
        max([AUTOMATIC_LEAST, *(len(row[index]) for row in cells)]) if column.width == AUTOMATIC else column.width
        for index, column in enumerate(layout.columns)]


def _pattern(layout: Layout, widths: list[int], *, all_cut: bool) -> str:
    """The line as a %-format, which lays a row out in one step."""
    parts = [layout.prefix.replace("%", "%%")]
    for column, width in zip(layout.columns, widths, strict=True):
        cut = f".{width}" if all_cut or column.field.cut else ""
        sign = "" if column.right else "-"
        parts.append(f"%{sign}{width}{cut}s" if width else "%s")
        parts.append(column.suffix.replace("%", "%%"))
    return "".join(parts)


def names_in_columns(names: Sequence[str]) -> list[str]:
    """The lines of --helpFormat: four names a line, each 20 wide."""
    return ["".join(f"{name:<20}" for name in names[start : start + 4]) for start in range(0, len(names), 4)]
