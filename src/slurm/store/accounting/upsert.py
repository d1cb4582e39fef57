"""Rows put into a table where their keys may be there already, in the three databases' words for that.

PostgreSQL gets all rows of a table as one JSON text, one statement: three times as fast as row by row through its driver.
SQLite gets them row by row as they are: what SQLAlchemy does with each value costs as much as the writing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql.dml import Insert

from slurm.store.accounting.rows import Row
from slurm.store.accounting.storage import POSTGRESQL, SQLITE

CHUNK = 1000
_MANY = 20
"""So many rows are worth a statement of their own making."""


def upsert(connection: sa.Connection, table: sa.Table, key: Sequence[str], found: Sequence[Row], keep: Collection[str] = ()) -> None:
    """Insert rows; where one of this key is there, its other columns become those of the new one, `keep` excepted."""
    if not found:
        return
    changed = [name for name in found[0] if name not in key and name not in keep]
    dialect = connection.dialect.name
    if dialect == POSTGRESQL and len(found) > _MANY:
        _by_json(connection, table, key, found, changed)
        return
    if dialect == SQLITE:
        _row_by_row(connection, table, key, found, changed)
        return
    statement: Insert
    if dialect == POSTGRESQL:
        from sqlalchemy.dialects import postgresql

        inserted = postgresql.insert(table)
        statement = inserted.on_conflict_do_update(index_elements=list(key), set_={name: inserted.excluded[name] for name in changed})
    else:
        from sqlalchemy.dialects import mysql

        insert = mysql.insert(table)
        statement = insert.on_duplicate_key_update({name: insert.inserted[name] for name in changed})
    _execute(connection, statement, found)


def insert_missing(connection: sa.Connection, table: sa.Table, found: Sequence[Row], by: Sequence[str] = ()) -> None:
    """Insert the rows whose keys are not there. `by`: the columns of the unique key, for tables whose primary key counts by itself."""
    if not found:
        return
    dialect = connection.dialect.name
    statement: Insert
    if dialect == POSTGRESQL:
        from sqlalchemy.dialects import postgresql

        statement = postgresql.insert(table).on_conflict_do_nothing(index_elements=list(by) or None)
    elif dialect == SQLITE:
        from sqlalchemy.dialects import sqlite

        statement = sqlite.insert(table).on_conflict_do_nothing(index_elements=list(by) or None)
    else:
        from sqlalchemy.dialects import mysql

        first = next(iter(found[0]))
        statement = mysql.insert(table).on_duplicate_key_update({first: sa.literal_column(f"{table.name}.{first}")})  # nothing changes
    _execute(connection, statement, found)


def _execute(connection: sa.Connection, statement: Insert, found: Sequence[Row]) -> None:
    for begin in range(0, len(found), CHUNK):
        chunk: list[dict[str, Any]] = list(found[begin:begin + CHUNK])
        connection.execute(statement, chunk)


def _row_by_row(connection: sa.Connection, table: sa.Table, key: Sequence[str], found: Sequence[Row], changed: Sequence[str]) -> None:
    """Names here are those of the schema; values are numbers, texts, bytes and None, which SQLite's driver takes as they are."""
    quote = connection.dialect.identifier_preparer.quote
    statement = (
        f"INSERT INTO {table.name} ({', '.join(map(quote, found[0]))}) VALUES ({', '.join('?' * len(found[0]))}) "
        f"ON CONFLICT ({', '.join(map(quote, key))}) DO UPDATE SET "
        f"{', '.join(f'{quote(name)} = excluded.{quote(name)}' for name in changed)}")
    values = itemgetter(*found[0])
    for begin in range(0, len(found), CHUNK):
        connection.exec_driver_sql(statement, [values(row) for row in found[begin:begin + CHUNK]])


def _by_json(connection: sa.Connection, table: sa.Table, key: Sequence[str], found: Sequence[Row], changed: Sequence[str]) -> None:
    """Names here are those of the schema, never a user's; what users wrote is in the parameter."""
    quote = connection.dialect.identifier_preparer.quote
    names = [quote(name) for name in found[0]]
    types = [table.c[name].type.compile(connection.dialect) for name in found[0]]
    updates = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in changed)
    statement = (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(names)} FROM json_to_recordset(%s::json) AS given("
        f"{', '.join(f'{name} {kind}' for name, kind in zip(names, types, strict=True))}) "
        f"ON CONFLICT ({', '.join(quote(name) for name in key)}) DO UPDATE SET {updates}")
    for begin in range(0, len(found), CHUNK):
        connection.exec_driver_sql(statement, (msgspec.json.encode(found[begin:begin + CHUNK]).decode(),))
