"""The tools for agents, called by a real client in this process, on a cluster that says what the test has it say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError

from slurm.mcp import script
from slurm.mcp.problems import CODES, Problem
from slurm.mcp.server import TOOLS, create_mcp_server, server
from slurm.mcp.tools import Tools
from slurm.model.errors import Unreachable
from slurm.sdk.backends.backend import Around
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.cluster import Cluster
from slurm.sdk.errors import BackendCommandError, BackendError, SubmissionError
from slurm.sdk.following.inspection import CELL, QUEUE, ROW

RECORD = """JobId={id} JobName=train
   UserId=ada(1000) GroupId=ada(1000) MCS_label=N/A
   JobState={state} Reason={reason} Dependency=(null)
   WorkDir=/home/ada
   StdErr={out}
   StdIn=/dev/null
   StdOut={out}

"""


def line(id: str, state: str, reason: str = "None") -> str:
    """A line as squeue prints it for `inspection.queue`."""
    values = {"%i": id, "%A": id, "%F": id.partition("_")[0], "%T": state, "%D": "1", "%C": "1", "%Q": "1", "%r": reason, "%j": "train", "%u": "ada"}
    return ROW + CELL.join(values.get(one, "") for one in QUEUE) + "\n"


class Told(InlineBackend):
    """A backend whose commands print what `says` has for their first words, or raise it; submissions are kept."""

    def __init__(self, says: Mapping[str, str | Exception]) -> None:
        super().__init__()
        self.says, self.user = says, "ada"
        self.submitted: list[str] = []
        self.refusal: Exception | None = None

    def ask(self, words: Sequence[str]) -> str:
        """What the test put in."""
        found = next((value for key, value in self.says.items() if " ".join(words).startswith(key)), BackendCommandError(f"unexpected: {words}"))
        if isinstance(found, Exception):
            raise found
        return found

    def around(self) -> Around:
        """The user of all these jobs."""
        return Around("/home/ada", self.user)

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """Kept."""
        if self.refusal is not None:
            raise self.refusal
        self.submitted.append(script)
        return "7"


def on(backend: Told | Callable[[], Cluster], tmp: Path, play: Callable[[Client], Awaitable[None]], **keywords: bool) -> None:
    """Let a client talk to the tools."""

    async def main() -> None:
        connect = (lambda: Cluster.from_backend(backend, job_base_dir=tmp)) if isinstance(backend, Told) else backend
        async with Client(server(Tools(connect), **keywords)) as client:
            await play(client)

    asyncio.run(main())


async def refused(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The error that a call is answered with, the same as text and as structure."""
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error, answer
    assert answer.structured_content == json.loads(answer.content[0].text)  # type: ignore[union-attr]
    error: dict[str, Any] = answer.structured_content["error"]
    assert error.keys() == {"code", "message", "hint", "valid"} and error["code"] in CODES
    return error


def test_every_tool_says_what_it_does_takes_and_answers(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == TOOLS.keys()
        for name, tool in tools.items():
            assert tool.description and tool.output_schema and tool.annotations == TOOLS[name], name
        assert tools["submit_script"].input_schema["required"] == ["script"]
        assert tools["cancel_jobs"].annotations.destructive_hint and tools["get_job"].annotations.read_only_hint  # type: ignore[union-attr]

    on(Told({}), tmp_path, play)


def test_a_server_that_may_only_look_has_no_tool_that_changes_anything(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in (await client.list_tools()).tools)
        assert (await refused(client, "submit_command", command="true"))["code"] == "invalid_arguments"

    on(Told({}), tmp_path, play, read_only=True)


def test_a_submission_carries_the_options_behind_those_of_the_script(tmp_path: Path) -> None:
    backend = Told({"scontrol show job 7": RECORD.format(id=7, state="PENDING", reason="Resources", out="/home/ada/slurm-7.out")})

    async def play(client: Client) -> None:
        answer = await client.call_tool("submit_script", {
            "script": "#!/bin/sh\n#SBATCH -t 5\n# why\n#SBATCH --mem=1G\nsrun true\n#SBATCH -N 9\n", "options": {"mem": "2G", "exclusive": True, "array": "0-3%2"}})
        found = answer.structured_content
        assert found["job_id"] == "7" and found["stdout"] == "/home/ada/slurm-7.out" and "enough processors" in found["why"]
        kept = Path(found["script_path"]).read_text()
        assert kept == backend.submitted[0]
        assert kept.splitlines() == ["#!/bin/sh", "#SBATCH --job-name=agent", "#SBATCH -t 5", "# why", "#SBATCH --mem=1G", "#SBATCH --array=0-3%2",
                                     "#SBATCH --mem=2G", "#SBATCH --exclusive", "srun true", "#SBATCH -N 9"]

    on(backend, tmp_path, play)


@pytest.mark.parametrize(("arguments", "code", "words"), [
    ({"script": "#!/bin/sh\n", "options": {"tmie": "5"}}, "invalid_option", "did you mean time?"),
    ({"script": "#!/bin/sh\n", "options": {"time": "soon"}}, "invalid_option", "time"),
    ({"script": "#!/bin/sh\n", "options": {"array": "a-b"}}, "invalid_option", "array"),
    ({"script": "true\n"}, "submission_refused", "does not look like a batch script"),
    ({"script": "#!/bin/sh\necho a\0b\n"}, "submission_refused", "NUL"),
    ({"script": 3}, "invalid_arguments", "script"),
    ({}, "invalid_arguments", "script"),
])
def test_what_cannot_be_submitted_is_refused_with_a_code(tmp_path: Path, arguments: dict[str, Any], code: str, words: str) -> None:
    backend = Told({})

    async def play(client: Client) -> None:
        error = await refused(client, "submit_script", **arguments)
        assert error["code"] == code and words in error["message"]
        assert not backend.submitted

    on(backend, tmp_path, play)


def test_an_argument_that_a_tool_has_not_is_refused_and_the_schema_says_so(tmp_path: Path) -> None:
    backend = Told({"squeue": line("7", "RUNNING")})

    async def play(client: Client) -> None:
        error = await refused(client, "list_jobs", state=["FAILED"])
        assert error["code"] == "invalid_arguments" and error["message"] == "list_jobs takes no argument state; did you mean states?"
        assert error["valid"] == ["user", "states", "partition", "limit", "offset"]
        assert (await refused(client, "cluster_status", all=True))["message"] == "cluster_status takes no argument all"
        assert all(tool.input_schema["additionalProperties"] is False for tool in (await client.list_tools()).tools)

    on(backend, tmp_path, play)


@pytest.mark.parametrize(("tool", "arguments", "message", "valid"), [
    ("list_jobs", {"user": "eve"}, "there is no user eve", []),
    ("list_jobs", {"states": ["bogus"]}, "there is no job state bogus", ["pending", "running"]),
    ("list_jobs", {"partition": "nope"}, "there is no partition nope", ["gpu"]),
    ("list_nodes", {"partition": "nope"}, "there is no partition nope", ["gpu"]),
])
def test_a_name_that_the_cluster_has_not_is_refused_with_those_it_has(
        tmp_path: Path, tool: str, arguments: dict[str, Any], message: str, valid: list[str]) -> None:
    said = "squeue: error: Invalid job state specified: bogus\nsqueue: error: Valid job states include: pending,running"
    backend = Told({
        "squeue -h -o": "", "sinfo": ROW + CELL.join(("gpu*", "up", "infinite", "1", "idle", "0/1/0/1", "1", "", "cn01")) + "\n", "scontrol -d show node": ""})
    if "user" in arguments or "states" in arguments:
        backend.says = {"squeue": BackendCommandError(said if "states" in arguments else "squeue: error: Invalid user: eve")}

    async def play(client: Client) -> None:
        error = await refused(client, tool, **arguments)
        assert (error["code"], error["message"], error["valid"]) == ("invalid_arguments", message, valid)

    on(backend, tmp_path, play)


def test_a_clusters_refusal_comes_in_its_own_words(tmp_path: Path) -> None:
    backend = Told({})
    backend.refusal = SubmissionError("the cluster did not take the job: Invalid partition name specified")

    async def play(client: Client) -> None:
        error = await refused(client, "submit_command", command="true")
        assert error["code"] == "submission_refused" and "Invalid partition name specified" in error["message"]

    on(backend, tmp_path, play)


@pytest.mark.parametrize(("raised", "code"), [
    (BackendCommandError("slurm_load_jobs error: Unable to contact slurm controller (connect failure)"), "no_cluster"),
    (BackendCommandError("squeue: error: something else"), "command_failed"), (BackendError("Access/permission denied"), "not_permitted")])
def test_a_cluster_in_trouble_is_told_by_a_code(tmp_path: Path, raised: Exception, code: str) -> None:
    async def play(client: Client) -> None:
        assert (await refused(client, "list_jobs"))["code"] == code

    on(Told({"squeue": raised}), tmp_path, play)


def test_a_cluster_that_is_not_there_yet_is_looked_for_at_every_call(tmp_path: Path) -> None:
    found: list[Cluster] = []

    def connect() -> Cluster:
        if not found:
            raise Unreachable(message="no cluster here: start one with `slurm up`, or set SLURM_CONF")
        return found[0]

    async def play(client: Client) -> None:
        error = await refused(client, "list_jobs")
        assert error["code"] == "no_cluster" and "slurm up" in error["message"]
        found.append(Cluster.from_backend(Told({"squeue": line("7", "RUNNING")})))
        assert (await client.call_tool("list_jobs", {})).structured_content["total"] == 1

    on(connect, tmp_path, play)


def test_a_mistake_of_this_program_is_called_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def play(client: Client) -> None:
        error = await refused(client, "list_jobs")
        assert error["code"] == "internal_error" and "ZeroDivisionError" in error["message"]

    on(Told({"squeue": ZeroDivisionError("x")}), tmp_path, play)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_a_job_has_written_is_read_from_its_end_and_on_from_a_byte(tmp_path: Path) -> None:
    out = tmp_path / "slurm-7.out"
    out.write_bytes("".join(f"line {number} é\n" for number in range(100)).encode())
    backend = Told({"scontrol show job 7": RECORD.format(id=7, state="RUNNING", reason="None", out=out)})

    async def play(client: Client) -> None:
        end = (await client.call_tool("job_output", {"job_id": "7", "tail_lines": 2})).structured_content
        assert end["text"] == "line 98 é\nline 99 é\n" and end["end"] == out.stat().st_size and not end["more"]
        assert out.read_bytes()[end["start"]:] == end["text"].encode()
        text, place, more = "", 0, True
        while more:
            part = (await client.call_tool("job_output", {"job_id": "7", "offset": place, "max_bytes": 256})).structured_content
            assert part["start"] == place and len(part["text"].encode()) <= 256
            text, place, more = text + part["text"], part["end"], part["more"]
        assert text == out.read_text()
        beyond = (await client.call_tool("job_output", {"job_id": "7", "offset": place + 1000})).structured_content
        assert (beyond["text"], beyond["start"], beyond["end"], beyond["more"]) == ("", place + 1000, place + 1000, False)

    on(backend, tmp_path, play)


def test_the_output_of_a_job_that_was_started_anew_is_read_from_its_beginning_and_said_to_be_that(tmp_path: Path) -> None:
    out = tmp_path / "slurm-7.out"
    out.write_text("first run\n" * 3)
    told = RECORD.format(id=7, state="PENDING", reason="BeginTime", out=out).replace("JobName", "Requeue=1 Restarts=1 JobName")
    backend = Told({"scontrol show job 7": told})

    async def play(client: Client) -> None:
        waiting = (await client.call_tool("job_output", {"job_id": "7"})).structured_content
        assert (waiting["state"], waiting["restarts"], waiting["text"]) == ("PENDING", 1, "first run\n" * 3)
        out.write_text("second run\n")
        anew = (await client.call_tool("job_output", {"job_id": "7", "offset": waiting["end"]})).structured_content
        assert (anew["text"], anew["start"], anew["end"], anew["restarts"]) == ("second run\n", 0, 11, 1)
        assert (await client.call_tool("job_output", {"job_id": "7", "offset": 11})).structured_content["text"] == ""

    on(backend, tmp_path, play)


def test_output_that_somebody_elses_job_points_to_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "id_ed25519"
    secret.write_text("my key")
    backend = Told({"scontrol show job 7": RECORD.format(id=7, state="RUNNING", reason="None", out=secret)})
    backend.user = "grace"

    async def play(client: Client) -> None:
        assert (await refused(client, "job_output", job_id="7"))["code"] == "not_permitted"

    on(backend, tmp_path, play)


def test_of_an_array_an_element_has_to_be_named_for_its_output(tmp_path: Path) -> None:
    two = "".join(RECORD.format(id=id, state="RUNNING", reason="None", out="/x").replace("JobName", f"ArrayJobId=7 ArrayTaskId={task} JobName")
                  for id, task in ((8, 0), (9, 1)))

    async def play(client: Client) -> None:
        error = await refused(client, "job_output", job_id="7")
        assert error["code"] == "invalid_job_id" and error["valid"] == ["7_0", "7_1"]
        assert (await client.call_tool("get_job", {"job_id": "7_1"})).structured_content["jobs"][0]["job_id"] == "7_1"

    on(Told({"scontrol show job 7": two}), tmp_path, play)


def test_waiting_ends_with_the_time_and_says_how_jobs_stand(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        found = (await client.call_tool("wait_for_jobs", {"job_ids": ["7", "9"], "timeout_seconds": 0.1})).structured_content
        assert not found["finished"]
        assert {job["job_id"]: job["state"] for job in found["jobs"]} == {"7": "PENDING", "9": "UNKNOWN"}
        assert (await refused(client, "wait_for_jobs", job_ids=["7"], timeout_seconds=1e9))["code"] == "invalid_arguments"

    on(Told({"squeue": line("7", "PENDING", "Priority")}), tmp_path, play)


def test_a_script_that_the_cluster_would_refuse_is_not_valid_and_that_is_no_error(tmp_path: Path) -> None:
    said = BackendCommandError("sbatch: error: allocation failure: Requested node configuration is not available\nsbatch: hint: too many")

    async def play(client: Client) -> None:
        found = (await client.call_tool("validate_script", {"script": "#!/bin/sh\n"})).structured_content
        assert found == {"valid": False, "message": "allocation failure: Requested node configuration is not available", "hint": "too many"}

    on(Told({"sbatch --test-only": said}), tmp_path, play)


def test_a_refusal_names_the_lines_that_the_agent_wrote_and_no_file(tmp_path: Path) -> None:
    wrote = "#!/bin/sh\n#SBATCH -t 5\n#SBATCH --bogus\ntrue\n#SBATCH -N 9\n#SBATCH -N 8\n"
    whole = script.with_options(wrote, {"mem": "2G"})
    numbers = {line: number for number, line in enumerate(whole.text.split("\n"), 1)}
    path = script.path(str(tmp_path), whole.text)

    def at(line: str) -> str:
        return f"{path}: line {numbers[line]}: {line}"

    hints = [at("#SBATCH --bogus"), at("#SBATCH --mem=2G"), f"{path}: #SBATCH in line {numbers['#SBATCH -N 9']}, {numbers['#SBATCH -N 8']} has no effect", f"see {path}"]
    own = "the script: line 3: #SBATCH --bogus; the options: #SBATCH --mem=2G; the script: #SBATCH in line 5, 6 has no effect; see the script"
    said = "\n".join(["sbatch: unrecognized option '--bogus'", *(f"sbatch: hint: {one}" for one in hints)])
    backend = Told({"sbatch --test-only": BackendCommandError(said)})
    backend.refusal = SubmissionError(said, script=whole.text, metadata={})

    async def play(client: Client) -> None:
        given = {"script": wrote, "options": {"mem": "2G"}}
        found = (await client.call_tool("validate_script", given)).structured_content
        assert found == {"valid": False, "message": "unrecognized option '--bogus'", "hint": own}
        assert (await refused(client, "submit_script", **given))["hint"] == own

    on(backend, tmp_path, play)


def test_resources_are_json_and_refuse_with_the_same_codes(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        queue = json.loads((await client.read_resource("slurm://queue")).contents[0].text)  # type: ignore[union-attr]
        assert queue["jobs"][0]["job_id"] == "7"
        with pytest.raises(MCPError) as caught:
            await client.read_resource("slurm://jobs/8")
        assert json.loads(str(caught.value))["error"]["code"] == "job_not_found"

    on(Told({"squeue": line("7", "RUNNING"), "scontrol": BackendCommandError("slurm_load_jobs error: Invalid job id specified"), "sacct": ""}), tmp_path, play)


def test_environments_are_listed_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "Slurmfile.toml"
    path.write_text('[hpc.cluster]\nbackend = "ssh"\nhostname = "login"\npassword = "hunter2"\n')

    async def main() -> str:
        async with Client(create_mcp_server(slurmfile=path, env="hpc")) as client:
            return json.dumps((await client.call_tool("list_environments", {})).structured_content)

    text = asyncio.run(main())
    assert '"hostname": "login"' in text and '"current": true' in text and "hunter2" not in text


def test_a_script_without_interpreter_is_a_problem_before_any_cluster_is_asked() -> None:
    with pytest.raises(Problem, match="does not look like a batch script"):
        script.with_options("echo", {})


def test_the_published_sdk_finds_its_server_where_it_looks_for_it() -> None:
    from slurm.mcp_server import create_mcp_server as published

    assert published is create_mcp_server


def row(*cells: str) -> str:
    """A line of sacct."""
    return CELL.join(cells) + "\n"


GONE = BackendCommandError("slurm_load_jobs error: Invalid job id specified")


def test_jobs_of_the_past_come_from_accounting(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []
    backend = Told({"sacct -n -P -X": row("9", "train", "ada", "lab", "gpu", "FAILED", "3:0", "2026-11-29T08:00:00", "2026-11-29T08:01:00",
        "2026-11-29T09:01:00", "01:00:00", "02:00:00", "1", "8", "cpu=8,mem=8G,node=1", "cn01") + row(*["x"] * 3)})
    ask = backend.ask
    backend.ask = lambda words: asked.append(words) or ask(words)  # type: ignore[method-assign,func-returns-value]

    async def play(client: Client) -> None:
        found = (await client.call_tool("job_history", {"states": ["FAILED"], "since": "now-2days"})).structured_content
        assert (found["total"], found["jobs_by_state"]) == (1, {"FAILED": 1})
        assert (found["jobs"][0]["job_id"], found["jobs"][0]["exit_code"], found["jobs"][0]["cpus"]) == ("9", "3:0", "8")
        assert [*asked[0]][asked[0].index("-u") + 1] == "ada" and "now-2days" in asked[0] and "FAILED" in asked[0]
        await client.call_tool("job_history", {"user": "all"})
        assert "-a" in asked[1] and "-u" not in asked[1]
        assert (await refused(client, "job_history", since="; rm -rf"))["code"] == "invalid_arguments"

    on(backend, tmp_path, play)


def test_a_job_that_the_controller_has_forgotten_is_explained_by_accounting(tmp_path: Path) -> None:
    backend = Told({"scontrol show job": GONE, "sacct -n -P": row(
        "9", "OUT_OF_MEMORY", "0:125", "00:10:00", "01:00:00", "4G", "", "cn01", "OutOfMemory", "ada", "train", "gpu") + row(
        "9.batch", "OUT_OF_MEMORY", "0:125", "00:10:00", "", "", "4190000K", "cn01", "", "", "batch", "") + row(
        "9.0", "FAILED", "7:0", "00:09:00", "", "", "1G", "cn01", "", "", "srun", "")})

    async def play(client: Client) -> None:
        found = (await client.call_tool("explain_job", {"job_id": "9"})).structured_content
        text = "\n".join(found["explanation"])
        assert (found["job_id"], found["state"]) == ("9", "OUT_OF_MEMORY")
        assert "of at most 01:00:00 on cn01" in text and "at most 4190000K" in text and "4G were asked for" in text
        assert "step 0 ended FAILED: exit code 7:0: exited with exit code 7" in text

    on(backend, tmp_path, play)


def test_without_accounting_the_past_is_not_known(tmp_path: Path) -> None:
    backend = Told({"scontrol show job": GONE, "sacct": BackendCommandError("Slurm accounting storage is disabled"),
        "sreport": BackendCommandError("Slurm accounting storage is disabled")})

    async def play(client: Client) -> None:
        assert (await refused(client, "job_history"))["code"] == "unsupported"
        assert (await refused(client, "account_usage"))["code"] == "unsupported"
        assert (await refused(client, "explain_job", job_id="9"))["code"] == "job_not_found"

    on(backend, tmp_path, play)


def test_use_of_accounts_is_told_in_hours(tmp_path: Path) -> None:
    backend = Told({"sreport": "lab|physics|||cpu|120\nlab|physics|ada|Ada L|gres/gpu|7\n"})

    async def play(client: Client) -> None:
        found = (await client.call_tool("account_usage", {"since": "2026-11-01"})).structured_content["used"]
        assert [(one["account"], one["user"], one["tres"], one["hours"]) for one in found] == [("physics", "", "cpu", 120), ("physics", "ada", "gres/gpu", 7)]

    on(backend, tmp_path, play)


def test_what_the_cluster_would_not_take_is_not_submitted_where_it_is_asked_first(tmp_path: Path) -> None:
    backend = Told({
        "sbatch --test-only": BackendCommandError("allocation failure: Requested node configuration is not available"),
        "scontrol show job 7": RECORD.format(id=7, state="PENDING", reason="Resources", out="/home/ada/slurm-7.out")})

    async def play(client: Client) -> None:
        error = await refused(client, "submit_script", script="#!/bin/sh\n", validate=True)
        assert error["code"] == "submission_refused" and "not available" in error["message"]
        assert not backend.submitted
        backend.says = {**backend.says, "sbatch --test-only": "sbatch: Job 7 to start at 2026-11-30T10:00:00 using 1 processors on nodes cn01 in partition debug"}
        found = (await client.call_tool("submit_script", {"script": "#!/bin/sh\n", "validate": True})).structured_content
        assert "to start at" in found["validated"]
        assert len(backend.submitted) == 1

    on(backend, tmp_path, play)
