"""scontrol: which words become which requests, and how refusals read."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from slurm.commands import scontrol
from slurm.commands.shell import Shell
from slurm.model.errors import InvalidRequest, NotFound, NotPermitted, SlurmError, Unreachable


class Recording:
    """A connection that keeps what is asked and answers the same to everything."""

    def __init__(self, answer: dict[str, object] | SlurmError) -> None:
        self.answer = answer
        self.sent: list[dict[str, object]] = []

    def call(self, message: dict[str, object]) -> dict[str, object]:
        self.sent.append(message)
        if isinstance(self.answer, SlurmError):
            raise self.answer
        return self.answer

    def send(self, message: dict[str, object]) -> None:
        self.sent.append(message)

    def receive(self, timeout: float | None = None) -> dict[str, object]:
        if isinstance(self.answer, SlurmError):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.sent.append({"type": "closed"})


class Call:
    """One run of scontrol with its streams."""

    def __init__(self, *argv: str, answer: dict[str, object] | SlurmError | None = None, stdin: bytes = b"",
                 environ: Mapping[str, str] | None = None, alone: bool = False) -> None:
        self.channel = Recording(answer if answer is not None else {"type": "Done"})
        out, err = io.StringIO(), io.StringIO()

        def connect(environ: Mapping[str, str]) -> Recording:
            if alone:
                raise Unreachable(hints=["nobody is here"])
            return self.channel

        shell = Shell("scontrol", argv, environ or {}, io.BytesIO(stdin), out, err, connect=connect)
        self.status = scontrol.main(shell)
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def asked(self) -> list[dict[str, object]]:
        return [message for message in self.channel.sent if message["type"] != "closed"]


@pytest.mark.parametrize(("line", "request_"), [
    ("hold jobid=7", {"type": "HoldJobs", "ids": ["7"]}),
    ("hold 7_[1,3-5]", {"type": "HoldJobs", "ids": ["7_[1,3-5]"]}),
    ("uhold 5", {"type": "HoldJobs", "user": True, "ids": ["5"]}),
    ("update jobid=5 nice", {"type": "UpdateJob", "ids": "5", "changes": {"nice": "100"}}),
    ("top 5,6 7", {"type": "MoveToTop", "ids": ["5", "6", "7"]}),
    ("setdebug Verbose", {"type": "SetDebug", "level": "verbose"}),
    ("setdebugflags +backfill -Steps", {"type": "SetDebug", "flags": ["+backfill", "-Steps"]}),
    ("release 5_3", {"type": "ReleaseJobs", "ids": ["5_3"]}),
    ("requeue 5", {"type": "RequeueJobs", "ids": ["5"]}),
    ("requeuehold state=SpecialExit 5", {"type": "RequeueJobs", "hold": True, "special": True, "ids": ["5"]}),
    ("update jobid=5 timelimit=2:00 name=x", {"type": "UpdateJob", "ids": "5", "changes": {"timelimit": "2:00", "name": "x"}}),
    ("update JobId=5 partition=gpu", {"type": "UpdateJob", "ids": "5", "changes": {"partition": "gpu"}}),
    ("update reservationname=r users+=bob skip", {"type": "UpdateReservation", "name": "r", "changes": {"users+": "bob", "Skip": "1"}}),
    ("update reservation r duration=5", {"type": "UpdateReservation", "name": "r", "changes": {"duration": "5"}}),
    ("update jobid=5 reservationname=r", {"type": "UpdateJob", "ids": "5", "changes": {"reservationname": "r"}}),
    ("update job 5 nice=10", {"type": "UpdateJob", "ids": "5", "changes": {"nice": "10"}}),
    ("update NodeName=cn[01-02] State=DRAIN Reason=x", {"type": "UpdateNode", "nodes": "cn[01-02]", "changes": {"State": "DRAIN", "Reason": "x"}}),
    ("update partitionname=p State=UP", {"type": "UpdatePartition", "name": "p", "changes": {"State": "UP"}}),
    ("reconfigure", {"type": "Reconfigure"}),
    ("reconf", {"type": "Reconfigure"}),
    ("shutdown", {"type": "Shutdown", "controller_only": False}),
    ("shutdown slurmctld", {"type": "Shutdown", "controller_only": True}),
    ("show job 5 -d", {"type": "Describe", "what": "job", "names": ["5"], "detail": True}),
    ("-o show job", {"type": "Describe", "what": "job", "oneline": True}),
    ("show jobs 5,6_[1,2]", {"type": "Describe", "what": "job", "names": ["5", "6_[1,2]"]}),
    ("show nodes", {"type": "Describe", "what": "node"}),
    ("show part --all", {"type": "Describe", "what": "partition", "hidden": True}),
    ("--hide show part", {"type": "Describe", "what": "partition", "hidden": False}),
    ("show node --future", {"type": "Describe", "what": "node", "future": True}),
    ("--quiet show node -F", {"type": "Describe", "what": "node", "future": True}),
    ("show part gpu", {"type": "Describe", "what": "partition", "names": ["gpu"]}),
    ("show node=cn01", {"type": "Describe", "what": "node", "names": ["cn01"]}),
    ("show lic", {"type": "Describe", "what": "licenses"}),
    ("show res", {"type": "Describe", "what": "reservation"}),
    ("--json show node cn01", {
        "type": "Describe", "what": "nodes_json", "format": "json", "arguments": ["scontrol", "--json", "show", "node", "cn01"], "names": ["cn01"]}),
    ("wait_job 5", {"type": "WaitReady", "job_id": 5}),
    ("ping", {"type": "Ping"}),
])
def test_a_line_becomes_a_request(line: str, request_: dict[str, object]) -> None:
    call = Call(*line.split(), answer={"type": "Done", "host": "h"})
    assert call.asked == [request_]
    assert call.status == 0


@pytest.mark.parametrize(("line", "answer", "first"), [
    ("update jobid=86 timelimit=1", NotPermitted("ESLURM_USER_ID_MISSING"), "Invalid user id for job 86"),
    ("update jobid=999999 timelimit=3", NotFound(), "Invalid job id specified for job 999999"),
    ("update nodename=cn01 state=drain reason=x", NotPermitted("ESLURM_USER_ID_MISSING"), "slurm_update error: Invalid user id"),
    ("shutdown", NotPermitted("ESLURM_USER_ID_MISSING"), "slurm_shutdown error:Invalid user id"),
    ("shutdown", NotPermitted("ESLURM_USER_ID_MISSING", "slurm_shutdown error:Invalid user id"), "slurm_shutdown error:Invalid user id"),
    ("reconfigure", NotPermitted("ESLURM_USER_ID_MISSING"), "slurm_reconfigure error:Invalid user id"),
    ("update jobid=5 bogus=1", InvalidRequest(message="Update of this parameter is not supported: bogus=1"),
     "Update of this parameter is not supported: bogus=1"),
    ("show job 999999", NotFound(), "slurm_load_jobs error: Invalid job id specified"),
    ("show job 5_7", NotFound(message="Job 5_7 not found"), "Job 5_7 not found"),
])
def test_a_refusal_reads_as_slurm_writes_it(line: str, answer: SlurmError, first: str) -> None:
    call = Call(*line.split(), answer=answer)
    assert (call.err.splitlines()[0], call.status) == (first, 1)


@pytest.mark.parametrize(("line", "first"), [
    ("bogus", "invalid keyword: bogus"),
    ("show bogus", ""),
    ("show", "too few arguments for keyword:show"),
    ("update", "too few arguments for update keyword"),
    ("update timelimit=3", "No valid entity in update command"),
    ("update jobid=3 timelimit", "Invalid input: timelimit"),
    ("update foo", "No valid entity in update command"), ("update foo=bar", "No valid entity in update command"),
    ("update jobid=3", "No changes specified"), ("update nodename=cn01", "No changes specified"),
    ("update partitionname=p", "scontrol: error: No changes specified"),
    ("hold", "too few arguments for keyword:hold"),
    ("wait_job", "too few arguments for keyword:wait_job"),
    ("wait_job x", "Invalid job_id x"), ("ping x", "too many arguments for keyword:ping"), ("listpids x", '"x" does not look like a jobid'),
    ("write nosuch", "invalid write argument:nosuch"), ("write", "too few arguments for keyword:write"),
    ("write config", "scontrol: error: scontrol write config is not supported by slurm-py yet"),
    ("shutdown everything", "invalid argument:everything for keyword:shutdown"),
    ("checkpoint 5", "invalid keyword: checkpoint"),
    ("create", "too few arguments for create keyword"),
    ("create foo", "scontrol: error: Invalid creation entity: foo"),
    ("create reservation now", "scontrol: error: Misformatted parameter 'now', most options have a parameter after '='.  No reservation created."),
    ("update reservationname=x now", "scontrol: error: Misformatted parameter 'now', most options have a parameter after '='.  No reservation update."),
    ("delete", "too few arguments for delete keyword"),
    ("delete foo=bar", "Invalid deletion entity: foo=bar"),
    ("errnumstr one", "invalid error number: one"), ("errnumstr", "too few arguments for keyword:errnumstr"),
])
def test_what_is_wrong_with_a_line_is_said_without_asking(line: str, first: str) -> None:
    call = Call(*line.split(), alone=bool(first))
    if first:
        assert (call.err.splitlines()[0], call.status) == (first, 1)


def test_jobs_are_held_each_for_itself() -> None:
    assert [each["ids"] for each in Call("hold", "1,2", "3").asked] == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize("word", ["all", "details", "future", "hide", "oneliner", "quiet", "verbose"])
def test_options_may_be_words_of_their_own(word: str) -> None:
    call = Call(word)
    assert (call.status, call.out, call.err, call.asked) == (0, "", "", [])


@pytest.mark.parametrize("entity", ["burstbuffer", "bbstat", "dwstat"])
def test_of_what_there_is_none_of_nothing_is_shown(entity: str) -> None:
    call = Call("show", entity)
    assert (call.status, call.out, call.err, call.asked) == (0, "", "", [])


def test_a_number_of_no_error_is_an_unknown_error() -> None:
    assert Call("errnumstr", "99999").out == "Unknown error 99999\n"


def test_a_slip_of_the_pen_gets_a_proposal() -> None:
    assert "did you mean requeue?" in Call("requeu3", "5").err


@pytest.mark.parametrize(("argv", "environ", "printed"), [
    (["show", "hostnames", "cn[01-02],gpu5"], {}, "cn01\ncn02\ngpu5\n"),
    (["show", "hostnames"], {"SLURM_JOB_NODELIST": "cn[3-4]"}, "cn3\ncn4\n"),
    (["show", "hostname", "a1"], {}, "a1\n"),
    (["show", "hostlist", "cn01,cn02,cn03"], {}, "cn[01-03]\n"),
    (["show", "hostlistsorted", "cn03,cn01"], {}, "cn[01,03]\n"),
])
def test_host_lists_need_no_controller(argv: list[str], environ: dict[str, str], printed: str) -> None:
    call = Call(*argv, environ=environ, alone=True)
    assert (call.out, call.status) == (printed, 0)


def test_a_malformed_host_list_is_explained() -> None:
    call = Call("show", "hostnames", "cn[1-", alone=True)
    assert call.status == 1
    assert call.err.splitlines()[0] == "Invalid hostlist: cn[1-"
    assert "never closed" in call.err


def test_ping_tells_of_a_controller_that_is_down() -> None:
    call = Call("ping", alone=True)
    assert (call.out, call.status) == ("Slurmctld(primary) is DOWN\n", 1)
    assert "nobody is here" in call.err


def test_a_batch_script_goes_to_standard_output_or_a_private_file(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.chdir(str(tmp_path))
    answer: dict[str, object] = {"type": "Text", "text": "#!/bin/sh\ntrue\n"}
    assert Call("write", "batch_script", "5", "-", answer=answer).out == "#!/bin/sh\ntrue\n"
    written = Call("write", "batch_script", "5", answer=answer)
    assert written.out == "batch script for job 5 written to slurm-5.sh\n"
    assert os.stat("slurm-5.sh").st_mode & 0o777 == 0o600
    with open("slurm-5.sh") as file:
        assert file.read() == "#!/bin/sh\ntrue\n"


def test_a_conversation_goes_on_after_errors_and_ends_with_quit() -> None:
    call = Call(stdin=b"bogus\n\nhold 5\n!!\nquit\nhold 6\n")
    assert [message["ids"] for message in call.asked] == [["5"], ["5"]]
    assert call.err.startswith("invalid keyword: bogus\n")
    assert call.status == 0
    assert call.out == "scontrol: " * 5


def test_version_and_help_need_nobody() -> None:
    assert Call("version", alone=True).out.startswith("slurm ")
    assert "requeuehold" in Call("help", alone=True).out
    assert Call("--usage", alone=True).out.startswith("Usage: scontrol [-a] ")
    assert Call("--version", alone=True).status == 0


@pytest.mark.parametrize("words", [
    ("jobid", "-dd", "12"), ("jobid=12", "-d"), ("JobId", "12", "-d"), ("JobId=12", "-d"), ("job=12", "-d"), ("job", "12", "-dd")])
def test_a_job_is_shown_however_site_guides_write_it(words: tuple[str, ...]) -> None:
    done = Call("show", *words, answer={"type": "Text", "text": "JobId=12\n"})
    assert done.out == "JobId=12\n"
    assert [(one["what"], one["names"], one["detail"]) for one in done.asked] == [("job", ["12"], True)]


def test_a_host_list_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("cn01,cn02\ncn04\n")
    assert Call("show", "hostlist", f"{tmp_path}/hosts").out == "cn[01-02,04]\n"
    assert Call("show", "hostlistsorted", f"{tmp_path}/hosts").out == "cn[01-02,04]\n"
    missing = Call("show", "hostlist", "/nosuch/hosts")
    assert (missing.status, missing.err.splitlines()[0]) == (1, "Can not open /nosuch/hosts")
    assert Call("show", "hostnames", "/nosuch/hosts").out == "/nosuch/hosts\n"


def test_quiet_leaves_the_exit_status_to_tell() -> None:
    gone = Call("-Q", "show", "job", "99999", answer=NotFound("ESLURM_INVALID_JOB_ID"))
    assert (gone.status, gone.out, gone.err) == (1, "", "")
    node = Call("-Q", "show", "node", "nosuch", answer={"type": "Text", "text": "Node nosuch not found\n", "exit_code": 1})
    assert (node.status, node.out, node.err) == (1, "", "")


def test_jobs_are_changed_by_their_name() -> None:
    done = Call("update", "jobname=sim", "TimeLimit+=10")
    assert done.asked == [{"type": "UpdateJob", "ids": "name=sim", "changes": {"TimeLimit": "+10"}}]
    none = Call("update", "jobname=nosuch", "TimeLimit=10", answer=NotFound("ESLURM_INVALID_JOB_ID"))
    assert (none.status, none.err) == (1, "scontrol: error: No jobs with name 'nosuch'\n")
    both = Call("update", "jobid=12", "jobname=sim")
    assert both.asked == [{"type": "UpdateJob", "ids": "12", "changes": {"jobname": "sim"}}]


@pytest.mark.parametrize("style", ["--json", "--yaml"])
def test_ping_answers_in_structure_whether_the_controller_is_there_or_not(style: str) -> None:
    here = Call(style, "ping", answer={"type": "Pong", "host": "head1", "mode": "primary"})
    gone = Call("ping", style, alone=True)
    assert (here.status, gone.status, here.err, gone.err) == (0, 1, "", "")
    if style == "--json":
        pings = [json.loads(call.out)["pings"] for call in (here, gone)]
        assert [(one["responding"], one["pinged"], one["primary"]) for [one] in pings] == [(True, "UP", True), (False, "DOWN", True)]
        assert pings[0][0]["hostname"] == "head1"
    else:
        assert here.out.startswith("%YAML 1.1\n") and "!!str pinged: !!str DOWN" in gone.out


@pytest.mark.parametrize(("entity", "what"), [("licenses", "licenses"), ("steps", "step"), ("reservations", "reservation"), ("job", "job")])
def test_whatever_slurm_tells_in_structure_is_asked_for_so(entity: str, what: str) -> None:
    [asked] = Call("--json", "show", entity, answer={"type": "Text", "text": "{}"}).asked
    assert (asked["what"], asked["format"], asked["arguments"]) == (what, "json", ["scontrol", "--json", "show", entity])


def test_requeuehold_knows_one_state() -> None:
    wrong = Call("requeuehold", "state=other", "12", answer={"type": "Done"})
    assert (wrong.status, wrong.asked) == (1, []) and wrong.err.startswith("Invalid state: other")
