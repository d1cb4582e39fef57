"""slurmrestd beside a real cluster: jobs by HTTP, replies as the specification has them, and who may ask for what."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import jsonschema
import jwt
import pytest

from slurm.slurmrestd import schema, versions
from slurm.slurmrestd.application import ALL
from slurm.slurmrestd.table import OPERATIONS, REFUSED
from tests.system.harness import Cluster, Result

ME = pwd.getpwuid(os.getuid()).pw_name
ORDINARY, OPERATOR = [entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid())][:2]
SECRET = b"k" * 32
SUBJECTS = {
    "job_id": "{job}", "node_name": "cn01", "partition_name": "debug", "reservation_name": "kept", "account_name": "root", "name": ME, "cluster_name": "test",
    "qos": "normal", "id": "1"}
BODIES: dict[str, Any] = {
    "POST /slurm/{version}/job/submit": {"script": "#!/bin/sh\ntrue\n", "job": {"current_working_directory": "/", "environment": ["A=b"], "hold": True}},
    "POST /slurm/{version}/job/{job_id}": {"comment": "changed"},
    "DELETE /slurm/{version}/jobs/": {"jobs": ["{job}"], "signal": "USR1"},
    "POST /slurm/{version}/nodes/": {"name": ["cn02"], "comment": "x"},
    "POST /slurm/{version}/node/{node_name}": {"comment": "x"},
    "POST /slurm/{version}/reservation": {"name": "kept", "end_time": 2_000_003_600},
    "POST /slurm/{version}/reservations/": {"reservations": [{"name": "kept", "end_time": 2_000_003_600}]},
    "POST /slurm/{version}/job/allocate": {"job": {"hold": True, "time_limit": 5}},
    "POST /slurm/{version}/new/node/": {"node_conf": "NodeName=dyn[1-2] CPUs=2 RealMemory=1000 State=CLOUD"},
    "POST /slurmdb/{version}/job/{job_id}": {"comment": {"administrator": "x"}},
    "POST /slurmdb/{version}/jobs/": {"job_id_list": ["999999"], "job_rec": {"comment": {"administrator": "x"}}},
    "POST /slurmdb/{version}/accounts/": {"accounts": [{"name": "lab", "description": "x"}]},
    "POST /slurmdb/{version}/accounts_association/": {"account": {}, "association_condition": {"accounts": ["lab"], "association": {}}},
    "POST /slurmdb/{version}/users/": {"users": [{"name": OPERATOR, "default": {"account": "lab"}}]},
    "POST /slurmdb/{version}/users_association/": {"user": {}, "association_condition": {"accounts": ["lab"], "users": [OPERATOR], "association": {}}},
    "POST /slurmdb/{version}/associations/": {"associations": [{"account": "lab", "shares_raw": 3}]},
    "POST /slurmdb/{version}/qos/": {"qos": [{"name": "normal", "description": "x"}]},
    "POST /slurmdb/{version}/clusters/": {"clusters": [{"name": "test"}]},
    "POST /slurmdb/{version}/tres/": {"TRES": [{"type": "cpu", "name": ""}]},
    "POST /slurmdb/{version}/wckeys/": {"wckeys": [{"name": "red", "user": OPERATOR}]},
    "POST /slurmdb/{version}/config": {"qos": [{"name": "normal", "description": "y"}]},
    "POST /util/{version}/hostnames": {"hostlist": "cn[01-03]"},
    "POST /util/{version}/hostlist": {"hostnames": ["cn01", "cn02"]},
}
RIGHTS: dict[str, tuple[int, int, int]] = {
    "GET /slurm/{version}/reconfigure/": (403, 403, 200),
    "POST /slurm/{version}/job/{job_id}": (403, 200, 200),
    "DELETE /slurm/{version}/job/{job_id}": (403, 200, 200),
    "DELETE /slurm/{version}/jobs/": (403, 409, 409),
    "POST /slurm/{version}/nodes/": (403, 403, 200),
    "POST /slurm/{version}/node/{node_name}": (403, 403, 200),
    "POST /slurm/{version}/reservation": (403, 200, 200),
    "POST /slurm/{version}/reservations/": (403, 200, 200),
    "DELETE /slurm/{version}/reservation/{reservation_name}": (403, 200, 200),
    "GET /slurm/{version}/resources/{job_id}": (409, 409, 409),
    "POST /slurm/{version}/new/node/": (403, 403, 422),  # MaxNodeCount allows none
    "DELETE /slurm/{version}/node/{node_name}": (403, 403, 422),  # it is one of slurm.conf
    "POST /slurmdb/{version}/jobs/": (404, 404, 404),
    "POST /slurmdb/{version}/job/{job_id}": (403, 422, 422),  # it has not ended, where accounting knows it already
    **{f"POST /slurmdb/{{version}}/{what}": (403, 200, 200) for what in (
        "accounts/", "accounts_association/", "users/", "users_association/", "associations/", "qos/", "wckeys/", "config")},
    "DELETE /slurmdb/{version}/account/{account_name}": (403, 422, 422),
    "DELETE /slurmdb/{version}/user/{name}": (403, 422, 422),
    "DELETE /slurmdb/{version}/associations/": (422, 422, 422),
    "DELETE /slurmdb/{version}/association/": (422, 422, 422),
    "DELETE /slurmdb/{version}/qos/{qos}": (403, 409, 409),
    "DELETE /slurmdb/{version}/cluster/{cluster_name}": (403, 403, 409),
    "DELETE /slurmdb/{version}/wckey/{id}": (404, 200, 404),
    "GET /slurmdb/{version}/diag/": (403, 200, 200),
    "GET /slurmdb/{version}/wckey/{id}": (404, 404, 404),
}
"""What an ordinary user, an operator and an administrator are answered about what is another's or everybody's; where nothing stands, all may."""


class Answer(NamedTuple):
    """Status and body of a reply."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


class Rest:
    """A slurmrestd on a port and a unix socket, beside a cluster that takes tokens."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        key = cluster.folder / "state" / "jwt_hs256.key"
        key.write_bytes(SECRET)
        key.chmod(0o600)
        with (cluster.folder / "slurm.conf").open("a") as conf:
            conf.write("AuthAltTypes=auth/jwt\nLicenses=matlab:3\n")
        cluster.kill("slurmctld", signal.SIGTERM)
        cluster.until(lambda: cluster.run("scontrol", "ping").status != 0, why="slurmctld did not end")
        cluster.up()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.path = cluster.root / "rest.sock"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "slurm.slurmrestd", f"localhost:{self.port}", f"unix:{self.path}"], env=self.environment(), cwd=cluster.work,
            stderr=(cluster.root / "rest.log").open("w"))
        cluster.until(self._answers, why="slurmrestd did not answer")

    def environment(self) -> dict[str, str]:
        """Of slurmrestd; tests may run as root."""
        return {**self.cluster.environment, "SLURM_CONF": str(self.cluster.folder / "slurm.conf"), "SLURMRESTD_SECURITY": "disable_user_check"}

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return self.ask("GET", "/openapi/v3").status == 200
        except OSError:
            return False

    def log(self) -> str:
        """What slurmrestd said."""
        return (self.cluster.root / "rest.log").read_text()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A reply on the port."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://localhost:{self.port}{path}", data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                status, content, found = reply.status, reply.read(), dict(reply.headers)
        except urllib.error.HTTPError as error:
            status, content, found = error.code, error.read(), dict(error.headers)
        return Answer(status, json.loads(content) if content else {}, {name.lower(): value for name, value in found.items()})

    def as_user(self, user: str, method: str, path: str, body: Any = None) -> Answer:
        """A reply to this user's token."""
        return self.ask(method, path, body, X_SLURM_USER_TOKEN=token(user))

    def curl(self, *words: str) -> Result:
        """curl on the unix socket."""
        return self.cluster.run("curl", "-sS", "--unix-socket", str(self.path), *words)

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)
        assert "Traceback" not in self.log(), self.log()


def token(user: str, key: bytes = SECRET, ends: int = 600, algorithm: str = "HS256") -> str:
    """As `scontrol token` makes it, or not."""
    now = int(time.time())
    return jwt.encode({"sun": user, "iat": now - 1000, "exp": now + ends}, key if algorithm != "none" else None, algorithm=algorithm)


@pytest.fixture(scope="module")
def rest(cluster: Cluster) -> Iterator[Rest]:
    """A slurmrestd, an operator, a job that another user must leave alone, and a reservation."""
    found = Rest(cluster)
    cluster.ok("sacctmgr", "-i", "add", "account", "lab")
    cluster.ok("sacctmgr", "-i", "add", "user", OPERATOR, "account=lab", "adminlevel=Operator")
    cluster.until(lambda: found.as_user(OPERATOR, "GET", "/slurmdb/v0.0.44/diag").status == 200, why="the controller has not heard of the operator")
    cluster.ok("scontrol", "create", "reservation", "ReservationName=kept", "StartTime=2033-05-18T00:00:00", "Duration=60", f"Users={ME}", "Nodes=cn04")
    yield found
    found.close()


@pytest.fixture
def held(rest: Rest) -> str:
    """A job of whoever runs the tests that waits."""
    return _held(rest)


def _held(rest: Rest) -> str:
    made = rest.as_user(ME, "POST", "/slurm/v0.0.44/job/submit", BODIES["POST /slurm/{version}/job/submit"])
    assert made.status == 200, made
    return str(made.body["job_id"])


def _filled(text: str, job: str) -> str:
    for name, subject in SUBJECTS.items():
        text = text.replace(f"{{{name}}}", subject)
    return text.replace("{job}", job)


def _address(operation: str, version: int, job: str) -> tuple[str, str]:
    method, _, path = operation.partition(" ")
    return method, _filled(path.replace("{version}", versions.name(version)), job)


def _body(operation: str, job: str) -> Any:
    if not schema.shapes().operations[operation].body:
        return None
    return json.loads(json.dumps(BODIES.get(operation, {})).replace("{job}", job))


def test_a_job_is_submitted_looked_at_and_read_in_three_calls(rest: Rest) -> None:
    out = rest.cluster.work / "rest.out"
    made = rest.curl("-X", "POST", "-d", json.dumps({
        "script": "#!/bin/bash\necho \"$GREETING from $SLURM_JOB_ID with $1\"\n",
        "job": {
            "name": "greeter", "partition": "debug", "tasks": 1, "time_limit": {"set": True, "infinite": False, "number": 5}, "argv": ["greeter", "care"],
            "current_working_directory": str(rest.cluster.work), "environment": ["PATH=/bin:/usr/bin", "GREETING=hello"], "standard_output": str(out)},
    }), "http://slurm/slurm/v0.0.44/job/submit")
    job = json.loads(made.out)["job_id"]

    def state() -> list[str]:
        shown = json.loads(rest.curl(f"http://slurm/slurm/v0.0.44/job/{job}").out)
        found: list[str] = shown["jobs"][0]["job_state"]
        return found

    rest.cluster.until(lambda: state() == ["COMPLETED"], why="the job did not complete")
    assert out.read_text() == f"hello from {job} with care\n"
    past = rest.as_user(ME, "GET", f"/slurmdb/v0.0.44/job/{job}")
    assert past.status in (200, 404)  # its record may still be on its way


def test_a_job_is_changed_held_released_and_cancelled(rest: Rest, held: str) -> None:
    path = f"/slurm/v0.0.44/job/{held}"
    assert rest.as_user(ME, "POST", path, {"time_limit": 7, "comment": "by REST"}).status == 200
    shown = rest.cluster.show(held)
    assert (shown["TimeLimit"], shown["Comment"]) == ("00:07:00", "by REST")
    assert rest.as_user(ME, "POST", path, {"script": "#!/bin/sh"}).status == 422
    assert rest.as_user(ME, "DELETE", path).body["status"][0]["job_id"]["number"] == int(held)
    rest.cluster.until_state(held, "CANCELLED")
    assert rest.as_user(ME, "DELETE", "/slurm/v0.0.44/job/999999").status == 404


def test_a_node_is_drained_and_resumed(rest: Rest) -> None:
    path = "/slurm/v0.0.44/node/cn03"
    assert rest.as_user(ME, "POST", path, {"state": ["DRAIN"]}).status == 422  # without a reason
    assert rest.as_user(ME, "POST", path, {"state": ["DRAIN"], "reason": "dust"}).status == 200
    (node,) = rest.as_user(ME, "GET", path).body["nodes"]
    assert "DRAIN" in node["state"]
    assert node["reason"] == "dust"
    assert rest.as_user(ME, "POST", path, {"state": ["RESUME"]}).status == 200
    assert rest.as_user(ME, "GET", "/slurm/v0.0.44/node/cn[01-04]").status == 404
    assert rest.as_user(ME, "POST", "/slurm/v0.0.44/node/ALL", {"comment": "x"}).status == 404


def test_a_reservation_is_made_and_ended(rest: Rest) -> None:
    made = rest.as_user(ME, "POST", "/slurm/v0.0.44/reservation", {
        "name": "tonight", "start_time": int(time.time()) + 86400, "duration": 60, "users": [ME], "node_list": ["cn02"], "flags": ["MAINT"]})
    assert made.status == 200, made.body
    (shown,) = rest.as_user(ME, "GET", "/slurm/v0.0.44/reservation/tonight").body["reservations"]
    assert (shown["node_list"], shown["users"]) == ("cn02", ME)
    assert rest.as_user(ME, "DELETE", "/slurm/v0.0.44/reservation/tonight").status == 200
    assert rest.as_user(ME, "GET", "/slurm/v0.0.44/reservation/tonight").status == 404


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_every_reply_is_valid_under_the_specification_of_its_version(rest: Rest, held: str, version: int) -> None:
    document = schema.document([one.name for one in OPERATIONS], [version])
    for operation in OPERATIONS:
        if operation.name.startswith("GET ") and versions.serves(version, operation.name):
            answer = rest.as_user(ME, *_address(operation.name, version, held))
            name = f"{versions.name(version)}_{schema.shapes().operations[operation.name].reply}"
            jsonschema.validate(answer.body, {"$ref": f"#/components/schemas/{name}", "components": document["components"]})
            expected = {404} if "wckey/{id}" in operation.name else {409} if "resources/" in operation.name else {200}
            assert answer.status in expected | ({404} if "slurmdb/{version}/job/" in operation.name else set()), answer
            assert answer.body["meta"]["plugin"]["data_parser"] == f"data_parser/{versions.name(version)}"
            assert answer.body["meta"]["client"]["user"] == ME


def test_records_are_those_of_the_commands(rest: Rest, held: str) -> None:
    (ours,) = rest.as_user(ME, "GET", f"/slurm/v0.0.45/job/{held}").body["jobs"]
    (theirs,) = json.loads(rest.cluster.ok("scontrol", "--json", "show", "job", held))["jobs"]
    assert {**ours, "job_resources": None} == {**theirs, "job_resources": None}
    nodes = json.loads(rest.cluster.ok("scontrol", "--json", "show", "nodes"))["nodes"]
    found = rest.as_user(ME, "GET", "/slurm/v0.0.45/nodes").body["nodes"]
    assert [node["name"] for node in found] == [node["name"] for node in nodes]
    assert found[0].keys() == nodes[0].keys()


@pytest.mark.parametrize("headers", [
    {}, {"X_SLURM_USER_TOKEN": "x.y.z"}, {"X_SLURM_USER_TOKEN": token(ME, ends=-100)}, {"X_SLURM_USER_TOKEN": token(ME, b"f" * 32)},
    {"X_SLURM_USER_TOKEN": token(ME, algorithm="none")}, {"Authorization": f"Bearer {token(ORDINARY)}", "X_SLURM_USER_NAME": ME}, {"X_SLURM_USER_NAME": ME},
    {"Authorization": "Basic cm9vdDpyb290"}, {"X_SLURM_USER_TOKEN": token(ME), "Authorization": f"Bearer {token(ORDINARY)}"}],
    ids=["no token", "garbage", "expired", "forged", "unsigned", "another's", "only a name", "basic", "two tokens"])
def test_nobody_is_answered_anything_without_a_good_token_of_his(rest: Rest, held: str, headers: dict[str, str]) -> None:
    for operation in ALL:
        method, path = _address(operation.name, 44, held)
        answer = rest.ask(method, path, _body(operation.name, held), **headers)
        assert answer.status == 401, (operation.name, answer)
        assert answer.body["errors"]
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert rest.cluster.field(held, "JobState") == "PENDING"


@pytest.mark.parametrize(("who", "column"), [(ORDINARY, 0), (OPERATOR, 1), (ME, 2)], ids=["ordinary", "operator", "administrator"])
def test_rights_are_those_of_the_tokens_user(rest: Rest, who: str, column: int) -> None:
    for operation in ALL:
        held = _held(rest) if "job" in operation.name else "1"
        method, path = _address(operation.name, 44, held)
        answer = rest.as_user(who, method, path, _body(operation.name, held))
        expected = 501 if operation.name in REFUSED else RIGHTS.get(operation.name, (200, 200, 200))[column]
        known = {expected} | ({404} if "/slurmdb/{version}/job/" in operation.name else set())
        assert answer.status in known, (operation.name, answer)
        if operation.name.startswith("DELETE /slurm/{version}/reservation") and answer.status == 200:
            rest.cluster.ok("scontrol", "create", "reservation", "ReservationName=kept", "StartTime=2033-05-18T00:00:00", "Duration=60", f"Users={ME}", "Nodes=cn04")


def test_a_job_is_that_of_the_tokens_user_whatever_is_written_down(rest: Rest) -> None:
    body = BODIES["POST /slurm/{version}/job/submit"]
    made = rest.as_user(ORDINARY, "POST", "/slurm/v0.0.44/job/submit", body)
    assert rest.cluster.show(str(made.body["job_id"]))["UserId"].startswith(f"{ORDINARY}(")
    assert rest.as_user(ORDINARY, "POST", "/slurm/v0.0.44/job/submit", {**body, "job": {**body["job"], "user_id": ME}}).status == 403


def test_a_submission_that_is_sent_again_makes_one_job(rest: Rest) -> None:
    def submitted(user: str, key: str) -> int:
        answer = rest.ask("POST", "/slurm/v0.0.44/job/submit", BODIES["POST /slurm/{version}/job/submit"], X_SLURM_USER_TOKEN=token(user), Idempotency_Key=key)
        assert answer.status == 200, answer
        return int(answer.body["job_id"])

    first = submitted(ME, "once")
    assert submitted(ME, "once") == first
    assert submitted(ME, "twice") != first
    assert submitted(ORDINARY, "once") != first


def test_a_token_of_an_administrator_speaks_for_whom_the_header_names(rest: Rest) -> None:
    answer = rest.ask("GET", "/slurm/v0.0.44/ping", X_SLURM_USER_TOKEN=token(ME), X_SLURM_USER_NAME=ORDINARY)
    assert (answer.status, answer.body["meta"]["client"]["user"]) == (200, ORDINARY)


def test_scontrol_makes_tokens_that_it_takes(rest: Rest) -> None:
    made = rest.cluster.ok("scontrol", "token", f"username={ORDINARY}", "lifespan=60").strip().removeprefix("SLURM_JWT=")
    answer = rest.ask("GET", "/slurm/v0.0.44/ping", Authorization=f"Bearer {made}")
    assert (answer.status, answer.body["meta"]["client"]["user"]) == (200, ORDINARY)


def test_what_has_not_changed_is_not_sent_again(rest: Rest, held: str) -> None:
    first = rest.as_user(ME, "GET", f"/slurm/v0.0.44/job/{held}")
    assert rest.ask("GET", f"/slurm/v0.0.44/job/{held}", X_SLURM_USER_TOKEN=token(ME), If_None_Match=first.headers["etag"]).status == 304
    assert rest.as_user(ME, "GET", f"/slurm/v0.0.44/jobs?update_time={int(time.time()) + 3600}").status == 304
    assert rest.as_user(ME, "GET", "/slurm/v0.0.44/jobs?update_time=1").status == 200
    assert rest.as_user(ME, "GET", "/slurm/v0.0.44/jobs?update_time=soon").status == 422


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("POST", "/slurm/v0.0.44/job/submit", b"{", 400), ("POST", "/slurm/v0.0.44/job/submit", {}, 422), ("POST", "/slurm/v0.0.44/job/submit", {"job": {"tim": 1}}, 422),
    ("GET", "/slurm/v0.0.44/jobs?flag=ALL", None, 422), ("GET", "/slurm/v0.0.44/job/x", None, 404), ("GET", "/slurm/v0.0.41/jobs", None, 404),
    ("PUT", "/slurm/v0.0.44/jobs", {}, 405), ("GET", "/slurm/v0.0.44/partition/nope", None, 404), ("GET", "/slurmdb/v0.0.44/account/nope", None, 404),
    ("POST", "/slurm/v0.0.44/job/allocate", {}, 422), ("GET", "/slurm/v0.0.44/node/..%2f..", None, 404), ("GET", "/etc/passwd", None, 404)])
def test_the_status_tells_the_truth(rest: Rest, method: str, path: str, body: Any, status: int) -> None:
    answer = rest.as_user(ME, method, path, body)
    assert (answer.status, bool(answer.body["errors"])) == (status, True)


def test_a_request_on_standard_input_is_answered_on_standard_output(rest: Rest) -> None:
    done = rest.cluster.run(
        sys.executable, "-m", "slurm.slurmrestd", stdin="GET /slurm/v0.0.44/ping HTTP/1.1\r\nAccept: */*\r\n\n", env=rest.environment())
    head, _, body = done.out.partition("\n\n")
    assert head.startswith("HTTP/1.1 200 OK"), done
    assert json.loads(body)["pings"][0]["pinged"] == "UP"


@pytest.mark.skipif(os.getuid() != 0, reason="only root is refused for being root")
def test_it_does_not_run_as_root_unless_it_is_told_to(rest: Rest) -> None:
    done = rest.cluster.run(sys.executable, "-m", "slurm.slurmrestd", stdin="", env={**rest.environment(), "SLURMRESTD_SECURITY": ""})
    assert done.status == 1
    assert "should not be run as the root user" in done.err


def test_the_socket_goes_with_the_daemon(rest: Rest) -> None:
    path = Path(rest.cluster.root / "second.sock")
    second = subprocess.Popen([sys.executable, "-m", "slurm.slurmrestd", f"unix:{path}"], env=rest.environment(), stderr=subprocess.DEVNULL)
    rest.cluster.until(lambda: rest.cluster.run("curl", "-sS", "--unix-socket", str(path), "http://slurm/openapi/v3").status == 0, why="it did not answer")
    second.terminate()
    assert second.wait(20) == 0
    assert not path.exists()


class Heard:
    """What comes as server-sent events: (event, data), and the last id."""

    def __init__(self, rest: Rest, path: str, user: str = ME, last: str = "") -> None:
        headers = {"X-SLURM-USER-TOKEN": token(user), **({"Last-Event-ID": last} if last else {})}
        self._reply = urllib.request.urlopen(urllib.request.Request(f"http://localhost:{rest.port}{path}", headers=headers), timeout=30)
        self.id = ""

    def next(self) -> tuple[str, Any]:
        """The next event."""
        event, data = "", ""
        for line in self._reply:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                self.id = value
            elif name == "event":
                event = value
            elif name == "data":
                data = value
            elif not name and event:
                return event, json.loads(data)
        raise AssertionError("the stream ended")

    def until(self, event: str, what: Callable[[Any], bool] = lambda data: True) -> Any:
        """The data of the next such event."""
        while True:
            name, data = self.next()
            if name == event and what(data):
                return data

    def close(self) -> None:
        """Hang up."""
        self._reply.close()


def test_changes_are_told_as_they_come_and_to_who_comes_back_what_he_missed(rest: Rest) -> None:
    heard = Heard(rest, "/slurm/watch?snapshot=true")
    hello = heard.until("hello")
    assert (hello["user"], hello["cluster"]) == (ME, "test")
    heard.until("ready")
    job = int(_held(rest))
    shown = heard.until("job", lambda data: data["job_id"] == job)
    assert (shown["job_state"], shown["hold"], shown["user_name"]) == (["PENDING"], True, ME)
    heard.until("queue", lambda data: data["pending"] > 0)
    known = heard.id
    assert int(known) >= hello["seq"]
    heard.close()
    rest.cluster.ok("scancel", str(job))
    missed = Heard(rest, "/slurm/watch?what=jobs", last=known)
    assert missed.until("job", lambda data: data["job_id"] == job and data["job_state"][0] == "CANCELLED")["user_name"] == ME
    missed.close()
    from_nowhere = Heard(rest, "/slurm/watch", last="999999999999")
    assert from_nowhere.until("reset")["why"]
    from_nowhere.close()


def test_listeners_are_told_what_they_ask_for_and_outlive_the_controller(rest: Rest) -> None:
    heard = Heard(rest, f"/slurm/watch?user={ORDINARY}&what=jobs")
    heard.until("hello")
    _held(rest)
    theirs = rest.as_user(ORDINARY, "POST", "/slurm/v0.0.44/job/submit", BODIES["POST /slurm/{version}/job/submit"]).body["job_id"]
    assert heard.next()[1]["job_id"] == theirs
    rest.cluster.kill("slurmctld", signal.SIGTERM)
    assert heard.until("controller")["connected"] is False
    rest.cluster.until(lambda: rest.cluster.run("scontrol", "ping").status != 0, why="slurmctld did not end")
    rest.cluster.up()
    assert heard.until("controller")["connected"] is True
    rest.cluster.ok("scancel", str(theirs))
    assert heard.until("job")["job_state"][0] == "CANCELLED"
    heard.close()


def test_a_websocket_tells_the_same(rest: Rest) -> None:
    with socket.create_connection(("localhost", rest.port), 30) as stream:
        stream.sendall((
            f"GET /slurm/watch?what=jobs HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-SLURM-USER-TOKEN: {token(ME)}\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        file = stream.makefile("rb")
        assert b" 101 " in file.readline()
        while file.readline().strip():
            pass

        def message() -> Any:
            size = file.read(2)[1]
            return json.loads(file.read(int.from_bytes(file.read(2), "big") if size == 126 else size))

        assert message()["events"][0]["event"] == "hello"
        job = int(_held(rest))
        found = message()
        assert (found["events"][0]["event"], found["events"][0]["data"]["job_id"]) == ("job", job)
        assert found["id"] > 0


def test_nobody_listens_without_a_good_token(rest: Rest) -> None:
    for headers in ({}, {"X_SLURM_USER_TOKEN": token(ME, ends=-100)}, {"X_SLURM_USER_TOKEN": token(ME, b"f" * 32)}):
        assert rest.ask("GET", "/slurm/watch", **headers).status == 401
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Version": "13"}
        assert rest.ask("GET", "/slurm/watch", **headers, **upgrade).status == 401
    assert rest.as_user(ME, "GET", "/slurm/watch?usr=root").status == 422


def _measured(rest: Rest, path: str, user: str) -> tuple[int, dict[str, float]]:
    request = urllib.request.Request(f"http://localhost:{rest.port}{path}", headers={"X-SLURM-USER-TOKEN": token(user)})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            lines = [line.rpartition(" ") for line in reply.read().decode().splitlines() if not line.startswith("#")]
    except urllib.error.HTTPError as error:
        return error.code, {}
    return 200, {name: float(value) for name, _, value in lines if name}


def test_some_fields_are_listed_and_nothing_again_until_something_changes(rest: Rest, held: str) -> None:
    path = f"/slurm/v0.0.44/jobs?fields=job_id,job_state,name&user={ME}&state=PENDING"
    found = rest.as_user(ME, "GET", path)
    assert {"job_id": int(held), "job_state": ["PENDING"], "name": "rest"} in found.body["jobs"]

    def unchanged(path: str) -> bool:
        tag = rest.as_user(ME, "GET", path).headers["etag"]
        return rest.ask("GET", path, X_SLURM_USER_TOKEN=token(ME), If_None_Match=tag).status == 304

    rest.cluster.until(lambda: unchanged(path), why="a list is never the same")  # the planner may look at the queue in between
    rest.cluster.until(lambda: unchanged("/slurm/v0.0.44/jobs"), why="the whole list is never the same")
    tag = rest.as_user(ME, "GET", path).headers["etag"]
    assert rest.ask("GET", path.replace("name", "user_name"), X_SLURM_USER_TOKEN=token(ME), If_None_Match=tag).status == 200
    rest.cluster.ok("scancel", held)
    assert rest.ask("GET", path, X_SLURM_USER_TOKEN=token(ME), If_None_Match=tag).status == 200
    assert rest.as_user(ME, "GET", "/slurm/v0.0.44/jobs?fields=weather").status == 422
    assert rest.as_user(ME, "GET", "/slurm/v0.0.44/jobs?user=root").status == 422


def test_an_allocation_is_made_and_shows_what_it_has(rest: Rest) -> None:
    made = rest.as_user(ME, "POST", "/slurm/v0.0.44/job/allocate", {"job": {"tasks": 2, "time_limit": 5, "tres_per_job": "gres/gpu:1", "environment": ["A=b"]}})
    assert made.status == 200, made
    assert [one["description"] for one in made.body["warnings"]] == ["environment says nothing of an allocation: it has no script"]
    job = str(made.body["job_id"])
    rest.cluster.until_state(job, "RUNNING")
    (node,) = rest.as_user(ME, "GET", f"/slurm/v0.0.44/resources/{job}").body["nodes"]
    assert (node["gres"][0]["name"], node["gres"][0]["count"]) == ("gpu", 1)
    assert "hello" in rest.cluster.ok("srun", f"--jobid={job}", "-n1", "echo", "hello")
    assert rest.as_user(ORDINARY, "DELETE", f"/slurm/v0.0.44/job/{job}").status == 403
    assert rest.as_user(ME, "DELETE", f"/slurm/v0.0.44/job/{job}").status == 200
    assert rest.as_user(ME, "GET", "/slurm/v0.0.44/resources/999999").status == 404


def test_descriptions_in_jobs_are_the_components_of_a_heterogeneous_job(rest: Rest) -> None:
    out = rest.cluster.work / "components.out"
    made = rest.as_user(ME, "POST", "/slurm/v0.0.44/job/submit", {
        "script": '#!/bin/sh\nsrun --het-group=0,1 sh -c \'echo "$SLURM_PROCID of $1" \' - "$SLURM_HET_SIZE"\n', "jobs": [
            {"current_working_directory": str(rest.cluster.work), "standard_output": str(out), "environment": [f"PATH={rest.cluster.environment['PATH']}"]},
            {"tasks": 2, "name": "second"}]})
    assert made.status == 200, made
    job = str(made.body["job_id"])

    def shown() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = rest.as_user(ME, "GET", f"/slurm/v0.0.44/job/{job}").body["jobs"]
        return found

    rest.cluster.until(lambda: all(one["job_state"] == ["COMPLETED"] for one in shown()), why="the components did not complete")
    assert sorted(out.read_text().splitlines()) == ["0 of 2", "1 of 2", "2 of 2"]
    assert [(one["het_job_offset"]["number"], one["name"]) for one in shown()] == [(0, "rest"), (1, "second")]
    allocated = rest.as_user(ME, "POST", "/slurm/v0.0.44/job/allocate", {"hetjob": [{"hold": True, "time_limit": 5}, {"tasks": 2, "hold": True, "time_limit": 5}]})
    assert allocated.status == 200, allocated
    assert rest.as_user(ME, "DELETE", f"/slurm/v0.0.44/job/{allocated.body['job_id']}").status == 200
    refused = rest.as_user(ME, "POST", "/slurm/v0.0.44/job/submit", {"script": "#!/bin/sh\n", "jobs": [{"current_working_directory": "/"}, {"hetjob_group": 4}]})
    assert (refused.status, "hetjob_group=4 of component 1" in refused.body["errors"][0]["description"]) == (422, True)


def test_what_a_job_writes_is_followed_to_its_end_by_its_owner(rest: Rest) -> None:
    gate = rest.cluster.work / "gate"
    os.mkfifo(gate)
    made = rest.as_user(ME, "POST", "/slurm/v0.0.44/job/submit", {"script": f"#!/bin/sh\necho first\nread line < {gate}\necho $line >&2\n", "job": {
        "current_working_directory": str(rest.cluster.work), "environment": ["PATH=/bin:/usr/bin"], "standard_output": "followed.%j"}})
    job = str(made.body["job_id"])
    path = f"/slurm/jobs/{job}/output"
    assert rest.as_user(ORDINARY, "GET", path).status == 403
    if os.geteuid() == 0:
        assert rest.as_user(OPERATOR, "GET", path).status == 403  # it is root's
    assert rest.as_user(ME, "GET", "/slurm/jobs/999999/output").status == 404
    assert rest.as_user(ME, "GET", f"{path}?follow=perhaps").status == 422
    request = urllib.request.Request(f"http://localhost:{rest.port}{path}?follow", headers={"X-SLURM-USER-TOKEN": token(ME)})
    with urllib.request.urlopen(request, timeout=60) as reply:
        assert reply.readline() == b"first\n"
        gate.write_text("second\n")
        assert reply.read() == b"second\n"
    assert rest.curl(f"http://slurm{path}?offset=6").out == "second\n"


def test_prometheus_reads_what_squeue_and_sdiag_say(rest: Rest, held: str) -> None:
    jobs = _measured(rest, "/metrics/jobs", ORDINARY)[1]
    assert jobs["slurm_jobs_pending"] == len(rest.cluster.ok("squeue", "-h", "-t", "PD", "-r").splitlines())
    assert _measured(rest, "/metrics/nodes", ORDINARY)[1]["slurm_nodes"] == 4
    assert _measured(rest, "/metrics/scheduler", ORDINARY)[1]["slurm_schedule_cycle_cnt"] > 0
    assert _measured(rest, "/metrics/slurmctld", ORDINARY)[1]["slurmctld_process_resident_memory_bytes"] > 1e6
    assert [_measured(rest, "/metrics/slurmdbd", user)[0] for user in (ORDINARY, OPERATOR)] == [403, 200]
    assert _measured(rest, "/metrics/slurmrestd", ORDINARY)[1]['slurmrestd_requests_total{method="GET",status="200"}'] > 0
    assert _measured(rest, "/metrics/weather", ME)[0] == 404
    assert rest.ask("GET", "/metrics/jobs").status == rest.ask("GET", "/metrics").status == 401


def test_slurm_up_starts_one_when_it_is_asked_to(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "2", "--memory", "2G")
    cluster.up()
    assert "slurmrestd" not in cluster.ok("slurm", "status")
    told = cluster.ok("slurm", "up", "--rest")
    assert str(cluster.folder / "run" / "slurmrestd.sock") in told
    shown = cluster.ok("curl", "-sS", "--unix-socket", str(cluster.folder / "run" / "slurmrestd.sock"), "http://slurm/slurm/v0.0.44/nodes")
    assert [node["name"] for node in json.loads(shown)["nodes"]] == ["cn01"]
    assert "slurmrestd" in cluster.ok("slurm", "status")


def test_the_web_page_gives_who_logs_in_by_token_his_own_rights(rest: Rest, held: str) -> None:
    def visit(method: str, place: str, cookie: str = "", **form: str) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("localhost", rest.port, timeout=60)
        connection.request(method, place, urlencode(form) if form else None, {
            "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"})
        reply = connection.getresponse()
        text, cookies = reply.read().decode(), reply.getheader("set-cookie", "")
        connection.close()
        return reply.status, text, cookies.partition(";")[0]

    assert visit("POST", "/login", token=token(ORDINARY, key=b"z" * 32))[0] == 401
    for user, may in ((ORDINARY, False), (OPERATOR, True)):
        status, _, cookie = visit("POST", "/login", token=token(user))
        assert status == 303
        page = visit("GET", f"/job/{held}", cookie)[1]
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        assert user in page
        visit("POST", "/queue", cookie, csrf=csrf, action="hold", job=held)
        told = visit("GET", "/queue", cookie)[1]
        news = told.partition("<main")[2].partition("<h1>")[0]
        assert (f"Held: job {held}" in news) is may and ("news failed" in news) is not may, news
        assert "denied" in visit("GET", f"/job/{held}/script", cookie)[1]
    ended = rest.cluster.sbatch("--wrap", "echo what only its owner reads")
    rest.cluster.until_ended(ended)
    output = visit("GET", f"/job/{ended}/output", cookie)[1]
    assert "Access/permission denied" in output and "only its owner" not in output
