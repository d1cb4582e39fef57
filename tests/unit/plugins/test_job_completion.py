"""Job completion as Slurm writes it: the line of filetxt, the variables of script, the document of http."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from slurm.plugins import jobcomp_filetxt, jobcomp_http, jobcomp_script
from slurm.plugins.records import CompletedJob

T0 = time.mktime((2026, 11, 30, 10, 50, 20, 0, 0, -1))
JOB = CompletedJob(
    cluster="real", job_id=9, array_job_id=3, array_task_id=1, name="arr", user="root", uid=0, group="root", gid=0, partition="debug",
    state="FAILED", exit_code=3, submit_time=T0, eligible_time=T0 + 3, start_time=T0 + 9, end_time=T0 + 10, nodes="vm", node_count=1, cpus=1,
    tres={"cpu": 1, "mem": 2000, "node": 1, "billing": 1}, work_dir="/tmp")


def test_filetxt_writes_the_line_that_slurm_writes(tmp_path: Path) -> None:
    path = tmp_path / "comp.txt"
    jobcomp_filetxt.job_completed(JOB, SimpleNamespace(JobCompLoc=str(path)))
    # As Slurm 22.05 wrote it of such a job.
    assert path.read_text() == (
        "JobId=9 UserId=root(0) GroupId=root(0) Name=arr JobState=FAILED Partition=debug TimeLimit=UNLIMITED StartTime=2026-11-30T10:50:29 "
        "EndTime=2026-11-30T10:50:30 NodeList=vm NodeCnt=1 ProcCnt=1 WorkDir=/tmp ReservationName= Tres=cpu=1,mem=2000M,node=1,billing=1 Account= "
        "QOS= WcKey= Cluster=real SubmitTime=2026-11-30T10:50:20 EligibleTime=2026-11-30T10:50:23 ArrayJobId=3 ArrayTaskId=1 DerivedExitCode=0:0 "
        "ExitCode=3:0 \n")


def test_a_name_cannot_begin_a_line_of_its_own(tmp_path: Path) -> None:
    line = jobcomp_filetxt.line_of(CompletedJob(cluster="c", job_id=1, user="alice", uid=7, name="a\nJobId=2 UserId=root(0)", work_dir="/a JobState=FAILED"))
    assert "\n" not in line
    assert (line.count(" UserId="), line.count(" JobState=")) == (1, 1)


def test_script_gets_the_variables_of_slurm(tmp_path: Path) -> None:
    script = tmp_path / "comp.sh"
    script.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\n")
    script.chmod(0o755)
    jobcomp_script.job_completed(JOB, SimpleNamespace(JobCompLoc=str(script)))
    found = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert {name: found[name] for name in ("JOBID", "ARRAYJOBID", "ARRAYTASKID", "JOBSTATE", "EXITCODE", "LIMIT", "START", "PROCS", "BATCH", "UID")} == {
        "JOBID": "9", "ARRAYJOBID": "3", "ARRAYTASKID": "1", "JOBSTATE": "FAILED", "EXITCODE": "3:0", "LIMIT": "UNLIMITED", "START": str(int(T0 + 9)),
        "PROCS": "1", "BATCH": "yes", "UID": "0"}
    script.write_text("#!/bin/sh\necho no room >&2; exit 4\n")
    with pytest.raises(RuntimeError, match="ended with status 4: no room"):
        jobcomp_script.job_completed(JOB, SimpleNamespace(JobCompLoc=str(script)))


class _Service(BaseHTTPRequestHandler):
    status = 201
    got: list[tuple[str | None, dict[str, object]]] = []
    last: tuple[bytes, dict[str, str]] = b"", {}

    def do_POST(self) -> None:
        """Keep what came."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).got.append((self.headers["Authorization"], json.loads(body)))
        type(self).last = body, dict(self.headers)
        self.send_response(type(self).status)
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing is printed."""


def test_http_sends_a_document_and_takes_only_a_yes_for_a_yes() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = SimpleNamespace(JobCompLoc=f"http://127.0.0.1:{server.server_port}/slurm/_doc", JobCompUser="root", JobCompPass="secret")
    try:
        jobcomp_http.job_completed(JOB, settings)
        credentials, document = _Service.got[-1]
        assert credentials == "Basic cm9vdDpzZWNyZXQ="
        assert (document["jobid"], document["state"], document["exit_code"], document["elapsed"], document["@start"]) == (
            9, "FAILED", "3:0", 1, "2026-11-30T10:50:29")
        for _Service.status in (302, 500):
            with pytest.raises(OSError, match=f"answered {_Service.status}"):
                jobcomp_http.job_completed(JOB, settings)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(OSError, match="cannot be reached"):
        jobcomp_http.job_completed(JOB, settings)


def test_deliveries_are_signed_with_a_secret_that_only_slurmctld_knows(tmp_path: Path) -> None:
    _Service.status = 201
    server = HTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    settings = SimpleNamespace(
        JobCompLoc=f"http://127.0.0.1:{server.server_port}/", JobCompUser="root", JobCompPass="", JobCompParams=f"flush_timeout=3,secret_file={secret}")
    try:
        jobcomp_http.job_completed(JOB, settings)
        body, headers = _Service.last
        expected = hmac.new(b"s3cret", headers["X-Slurm-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["X-Slurm-Signature"] == f"sha256={expected}"
        assert abs(int(headers["X-Slurm-Timestamp"]) - time.time()) < 60
        jobcomp_http.job_completed(JOB, settings)
        assert _Service.last[1]["X-Slurm-Delivery"] == headers["X-Slurm-Delivery"]
        count = len(_Service.got)
        for spoil in (lambda: secret.chmod(0o644), lambda: (secret.chmod(0o600), secret.write_text("\n")), secret.unlink):
            spoil()
            with pytest.raises(OSError):
                jobcomp_http.job_completed(JOB, settings)
        assert len(_Service.got) == count
    finally:
        server.shutdown()
        server.server_close()
