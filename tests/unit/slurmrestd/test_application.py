"""Which operation a path means, what an error is as a status, and the specification that is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from slurm.model.errors import ConfigError, InvalidRequest, NotFound, NotNow, NotPermitted, SlurmError, StoreError, Unreachable, Unsupported
from slurm.net.discovery import Site
from slurm.slurmrestd import replies, schema, versions
from slurm.slurmrestd.__main__ import main
from slurm.slurmrestd.application import ALL, Application, Found, Refusal, Settings
from slurm.slurmrestd.reading import Malformed
from slurm.slurmrestd.serving import with_host
from slurm.slurmrestd.table import OPERATIONS, REFUSED

SITE = Site(cluster="test", conf="/nowhere/slurm.conf", endpoints=())
APPLICATION = Application(Settings(SITE, ()))
REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "openapi-v0.0.44.json"


def test_every_operation_of_the_specification_is_carried_out_or_refused_with_its_reason() -> None:
    assert sorted(schema.shapes().operations) == sorted(one.name for one in ALL)
    assert not {one.name for one in OPERATIONS} & set(REFUSED)


@pytest.mark.parametrize("operation", ALL, ids=lambda one: one.name)
def test_an_operation_is_found_by_its_path_with_and_without_a_slash_behind(operation: object) -> None:
    method, path = getattr(operation, "name", "").split(" ")
    for version in versions.VERSIONS:
        url = path.replace("{version}", versions.name(version)).replace("{", "").replace("}", "").rstrip("/")
        for spelled in (url, f"{url}/"):
            found = APPLICATION.find(method, spelled)
            if versions.serves(version, getattr(operation, "name", "")):
                assert isinstance(found, Found), spelled
                assert (found.operation, found.version) == (operation, version)
            else:
                assert isinstance(found, Refusal)


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 404), ("GET", "/slurm/v0.0.41/jobs", 404), ("GET", "/slurm/v0.0.44", 404), ("GET", "/slurm/v0.0.44/jobz", 404), ("PUT", "/slurm/v0.0.44/jobs", 405),
    ("GET", "/slurm/v0.0.44/job/submit", 405), ("GET", "/slurm/v0.0.44/node/a/b", 404), ("GET", "/slurm/v0.0.44/node/{}", 404), ("GET", "/slurm//v0.0.44/jobs", 404),
    ("GET", "/slurm/v0.0.44/../v0.0.44/jobs", 404), ("POST", "/slurm/v0.0.42/reservation", 404)])
def test_a_path_that_means_nothing_is_refused(method: str, path: str, status: int) -> None:
    found = APPLICATION.find(method, path)
    assert isinstance(found, Refusal)
    assert found.status == status


def test_a_slash_in_a_name_stays_in_the_name() -> None:
    found = APPLICATION.find("GET", "/slurm/v0.0.44/node/a%2Fb")
    assert isinstance(found, Found)
    assert found.path == {"node_name": "a/b"}


def test_sections_and_versions_that_are_not_served_are_not_there() -> None:
    only = Application(Settings(SITE, (), ("slurm",), (44,)))
    assert isinstance(only.find("GET", "/slurm/v0.0.44/jobs"), Found)
    assert isinstance(only.find("GET", "/slurmdb/v0.0.44/jobs"), Refusal)
    assert isinstance(only.find("GET", "/slurm/v0.0.43/jobs"), Refusal)


@pytest.mark.parametrize(("error", "status"), [
    (NotPermitted("SLURM_AUTHENTICATION_ERROR"), 401), (NotPermitted(), 403), (NotFound(), 404), (NotNow(), 409), (InvalidRequest(), 422), (Malformed(), 400),
    (Unsupported(), 501), (Unreachable(), 503), (StoreError(), 503), (ConfigError(), 500), (SlurmError("SLURM_ERROR"), 500)])
def test_the_status_of_an_error_follows_from_its_kind(error: SlurmError, status: int) -> None:
    assert replies.status_of(error) == status


def test_what_the_path_names_and_is_not_there_is_not_found() -> None:
    assert replies.status_of(InvalidRequest("ESLURM_INVALID_NODE_NAME"), ("ESLURM_INVALID_NODE_NAME",)) == 404


def test_the_specification_is_valid_and_names_each_version() -> None:
    served = [one.name for one in OPERATIONS]
    validate(schema.document(served, [versions.NEWEST]))
    document = schema.document(served)
    assert {path.split("/")[2] for path in document["paths"]} == {versions.name(one) for one in versions.VERSIONS}
    assert "step_id" not in document["components"]["schemas"]["v0.0.43_job_info"]["properties"]
    assert "step_id" in document["components"]["schemas"]["v0.0.44_job_info"]["properties"]


def test_every_difference_between_versions_is_about_something_that_there_is() -> None:
    for one in versions.CAME:
        if one.operation:
            assert one.operation in schema.shapes().operations
        else:
            assert one.field in schema.shapes().schemas[one.schema]["properties"]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the recorded specification lies beside the repository only where it is developed")
def test_paths_and_schemas_are_those_of_the_reference() -> None:
    theirs = json.loads(REFERENCE.read_text())
    ours = schema.document(list(schema.shapes().operations), [44])
    assert ours["paths"].keys() == theirs["paths"].keys()
    for path, methods in theirs["paths"].items():
        assert ours["paths"][path].keys() == methods.keys()
    for name, of in theirs["components"]["schemas"].items():
        assert ours["components"]["schemas"].get(name, {}).get("properties", {}).keys() == of.get("properties", {}).keys(), name


def test_a_refusal_holds_what_its_schema_requires() -> None:
    assert schema.nothing("openapi_job_info_resp") == {
        "jobs": [], "last_backfill": {"set": False, "infinite": False, "number": 0}, "last_update": {"set": False, "infinite": False, "number": 0}}


def test_a_request_typed_at_a_shell_gets_the_host_that_it_lacks() -> None:
    assert with_host(b"GET / HTTP/1.1\r\n\r\n") == b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert with_host(b"GET / HTTP/1.1\nAccept: */*\n\n") == b"GET / HTTP/1.1\nHost: localhost\r\nAccept: */*\n\n"
    assert with_host(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nHost: y") == b"GET / HTTP/1.1\r\nhost: x\r\n\r\nHost: y"


@pytest.mark.parametrize(("words", "printed"), [
    (["-a", "list"], "rest_auth/local\nrest_auth/jwt\n"), (["-s", "list"], "openapi/slurmctld\nopenapi/slurmdbd\nopenapi/util\nweb\n"),
    (["-d", "list"], "".join(f"data_parser/v0.0.{one}\n" for one in (42, 43, 44, 45)))])
def test_plugins_are_listed(words: list[str], printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words, {}) == 0
    assert capsys.readouterr().out == printed


def test_the_specification_is_printed_without_any_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--generate-openapi-spec", "-s", "slurmctld", "-d", "v0.0.44"], {}) == 0
    document = json.loads(capsys.readouterr().out)
    assert {path.split("/")[1] for path in document["paths"]} == {"slurm"}


@pytest.mark.parametrize(("words", "environ", "said"), [
    (["-a", "rest_auth/munge"], {}, "rest_auth/munge"), (["-s", "dbv0.0.39"], {}, "dbv0.0.39"), (["-d", "v0.0.39"], {}, "v0.0.39"),
    (["-d", "v0.0.44+complex"], {}, "complex"), ([], {"SLURMRESTD_SECURITY": "none"}, "none"), (["-t", "0"], {}, "-t 0")])
def test_what_cannot_be_loaded_ends_it(words: list[str], environ: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words, environ) == 1
    assert said in capsys.readouterr().err
