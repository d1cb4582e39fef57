"""Bodies and query strings of the API, read against their schemas."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from slurm.model.errors import InvalidRequest
from slurm.slurmrestd import reading


def _job(**fields: Any) -> dict[str, Any]:
    body = reading.body("job_submit_req", msgspec.json.encode({"job": fields}), 44)
    job: dict[str, Any] = body.get("job", {})
    return job


@pytest.mark.parametrize(("written", "read"), [
    ({"set": True, "infinite": False, "number": 5}, 5), ({"number": 5}, 5), (5, 5), ("5", 5), ({"set": True, "infinite": True, "number": 0}, math.inf),
    ("infinite", math.inf)])
def test_a_number_may_be_written_as_slurm_takes_it(written: Any, read: float) -> None:
    assert _job(time_limit=written) == {"time_limit": read}


@pytest.mark.parametrize("written", [{"set": False, "infinite": False, "number": 5}, {"set": True}, None])
def test_a_number_that_is_not_set_is_not_there(written: Any) -> None:
    assert _job(time_limit=written) == {}


@pytest.mark.parametrize(("field", "value", "said"), [
    ("tim_limit", 5, "did you mean time_limit?"), ("time_limit", "soon", "a number is due"), ("time_limit", [], "a list"), ("tasks", 1.5, "a whole number"),
    ("tasks", True, "a truth value"), ("name", ["a"], "text is due"), ("hold", "maybe", "true or false"), ("environment", 5, "a list is due"),
    ("mail_type", ["ENDE"], "none of its words"), ("time_limit", {"number": 5, "unit": "h"}, "there is no such field")])
def test_what_does_not_fit_is_refused_with_its_field_named(field: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _job(**{field: value})
    assert f"job.{field}" in refused.value.message
    assert said in "; ".join(refused.value.lines())


def test_lists_may_be_text_and_an_environment_an_object() -> None:
    assert _job(required_nodes="cn01,cn02", environment={"A": "1"}) == {"required_nodes": ["cn01", "cn02"], "environment": ["A=1"]}


def test_a_field_that_came_later_is_unknown_to_earlier_versions() -> None:
    with pytest.raises(InvalidRequest, match="v0.0.42"):
        reading.body("job_submit_req", b'{"job": {"segment_size": 2}}', 42)


@pytest.mark.parametrize("data", [b"", b"[", b"[]", b"\xff", b'"x"', b"{" * 5000])
def test_a_body_that_is_no_object_is_malformed(data: bytes) -> None:
    with pytest.raises(reading.Malformed):
        reading.body("job_submit_req", data, 44)


def test_query_parameters_are_those_of_the_operation() -> None:
    allowed = {"flags": ["ALL", "DETAIL"], "update_time": []}
    assert reading.query(allowed, [("flags", "all,DETAIL"), ("update_time", "")]) == {"flags": "ALL,DETAIL"}
    for given in ([("flag", "ALL")], [("flags", "SOME")], [("update_time", "1"), ("update_time", "2")]):
        with pytest.raises(InvalidRequest):
            reading.query(allowed, given)
