"""How the formats of sacct, sstat and sreport are read, `JobID,State%20,User%-12`, and how their rows of texts become lines. Light:
commands import it.

Unlike squeue's, columns stand under a line of dashes, justified right unless a width is negative, and a text that does not fit ends with a
+.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from slurm.notation.printable import printable
from slurm.options.errors import OptionError
from slurm.render.fields import Field, Table
from slurm.render.fields_accounting import DATES

ALL = "all"
_KEPT = 4096
"""Texts of a column whose cells are made once."""


class Column:
    """A field and its width in characters; `left`: justified left."""

    __slots__ = ("field", "left", "width")

    def __init__(self, field: Field, width: int) -> None:
        self.field = field
        self.width = abs(width)
        self.left = width < 0


def parse(text: str, table: Table) -> list[Column]:
    """Reads a format; names in any case, in full or their beginning, "all" for every field. OptionError names what is no field."""
    columns: list[Column] = []
    for piece in text.split(","):
        name, percent, digits = piece.strip().partition("%")
        if not name:
            continue
        width = _width(digits) if percent else None
        if name.lower() == ALL:
            columns += [Column(field, field.width if width is None else width) for field in table.fields]
        else:
            field = find(name, table)
            columns.append(Column(field, field.width if width is None else width))
    return columns


def find(name: str, table: Table) -> Field:
    """The field of this name, else the first of the table that begins with it; OptionError names the nearest."""
    wanted = name.lower()
    field = table.by_name.get(wanted) or next((field for field in table.fields if field.name.lower().startswith(wanted)), None)
    if field is None:
        from slurm.notation.nearest import nearest  # only when something is wrong

        meant = nearest(name, [field.name for field in table.fields])
        hint = f"did you mean {meant}?" if meant else "--helpformat lists the valid names"
        raise OptionError(f'Invalid field requested: "{name}"', exit_code=1, hints=[hint])
    return field


def _width(digits: str) -> int:
    sign, number = (-1, digits[1:]) if digits.startswith("-") else (1, digits)
    return sign * int(number[:6]) if number.isascii() and number.isdigit() else 0


def lines(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, header: bool = True) -> Iterator[str]:
    """The table: header, dashes, rows; each cell with a blank behind it."""
    if header:
        yield "".join(f"{_justified(column.field.header[: column.width], column)} " for column in columns)
        yield "".join(f"{'-' * column.width} " for column in columns)
    made: list[dict[str, str]] = [{} for _ in columns]  # most texts of a column come again and again
    for row in rows:
        cells = []
        for text, column, known in zip(row, columns, made, strict=True):
            cell = known.get(text)
            if cell is None:
                cell = f"{_cell(text, column)} "
                if len(known) < _KEPT:
                    known[text] = cell
            cells.append(cell)
        yield "".join(cells)


def parsable(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], *, header: bool = True, delimiter: str = "|", ending: bool = False,
) -> Iterator[str]:
    """The same for programs: whole texts with the delimiter between, and with `ending` one at the end."""
    end = delimiter if ending else ""
    if header:
        yield delimiter.join(column.field.header for column in columns) + end
    for row in rows:
        line = delimiter.join(row)
        yield (line if line.isprintable() else delimiter.join(map(printable, row))) + end


def _cell(text: str, column: Column) -> str:
    shown = printable(text)
    if len(shown) > column.width and column.field.cut:
        shown = shown[: column.width] if column.field.name in DATES or not column.width else shown[: column.width - 1] + "+"
    return _justified(shown, column)


def _justified(text: str, column: Column) -> str:
    return text.ljust(column.width) if column.left else text.rjust(column.width)


def names_in_columns(names: Sequence[str]) -> Iterator[str]:
    """The lines of --helpformat: four names a line, each 19 wide, a blank between."""
    for start in range(0, len(names), 4):
        yield " ".join(f"{name:<19}" for name in names[start : start + 4])
