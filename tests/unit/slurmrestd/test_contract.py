"""Whatever anybody sends: each operation carries it out or says in a sentence why not, and nothing that it was given surprises it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm.client.cluster import Unchanged
from slurm.model.errors import SlurmError, Unreachable
from slurm.slurmrestd import reading, schema, versions
from slurm.slurmrestd.application import ALL
from slurm.slurmrestd.operation import Call, Operation
from slurm.slurmrestd.schema import named

WORDS = st.sampled_from(["", "a", "ada", "debug", "1", "-1", "12_3", "cn[01-04]", "ALL", "\0", "é", "a" * 300, "2033-05-18", "=", "/", "x,y", "+high", "INFINITE"])
NUMBERS = st.one_of(st.integers(-2, 2**40), st.floats(allow_nan=False, allow_infinity=False, width=32), st.sampled_from([0, 1, 2**63, -1]))
UNSET = st.one_of(NUMBERS, st.fixed_dictionaries({}, optional={"set": st.booleans(), "infinite": st.booleans(), "number": NUMBERS}))


class Far:
    """A cluster that does not answer; whatever is asked of it was read without a surprise."""

    user, uid = "ada", 1001

    def __getattr__(self, name: str) -> Any:
        if name in ("cluster", "accounting", "policy", "daemon"):
            return Far()
        raise Unreachable()


def values(of: Mapping[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """What fits a schema, near enough, and what does not."""
    name, whole = named(of)
    if name.endswith(schema.UNSET_NUMBER):
        return UNSET
    kind = whole.get("type")
    if kind is None:
        return WORDS
    if kind == schema.OBJECT:
        fields = list(whole.get("properties", {}).items()) if depth < 4 else []
        return st.lists(st.sampled_from(fields), max_size=5, unique_by=lambda one: one[0]).flatmap(
            lambda chosen: st.fixed_dictionaries({field: values(inner, depth + 1) for field, inner in chosen})) if fields else st.just({})
    if kind == schema.ARRAY:
        return st.lists(values(whole["items"], depth + 1), max_size=3)
    if kind == "string":
        return st.one_of(WORDS, st.sampled_from(whole["enum"])) if whole.get("enum") else WORDS
    return {"boolean": st.booleans(), "integer": NUMBERS, "number": NUMBERS}[str(kind)]


def asked(operation: Operation, version: int, body: Any, query: dict[str, str], path: str) -> str:
    """What came of it: done, or refused."""
    shape = schema.shapes().operations[operation.name]
    name = operation.name.rstrip("/").rpartition("/")[2].strip("{}")
    try:
        read = reading.body(shape.body, json.dumps(body).encode(), version) if shape.body else {}
        call = Call(version, {name: path}, reading.query(shape.query, list(query.items())), read, Far(), 1_000_000_000.0, "here")  # type: ignore[arg-type]
        operation.handler(call)
    except (SlurmError, Unchanged):
        return "refused"
    return "done"


@pytest.mark.parametrize("operation", ALL, ids=lambda one: one.name)
def test_no_body_query_or_path_surprises_an_operation(operation: Operation) -> None:
    shape = schema.shapes().operations[operation.name]
    bodies = st.one_of(values({"$ref": shape.body}), st.sampled_from([None, [], "x", 3, {"x": 1}])) if shape.body else st.none()
    queries = st.dictionaries(st.sampled_from(sorted(shape.query)), WORDS, max_size=3) if shape.query else st.just({})

    @settings(max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(bodies, queries, WORDS, st.sampled_from(versions.VERSIONS))
    def attack(body: Any, query: dict[str, str], path: str, version: int) -> None:
        assert asked(operation, version, body, query, path) in ("done", "refused")

    attack()
