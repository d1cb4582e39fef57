"""The tools for agents: `slurm mcp run` by real client sessions, over its standard input and over http."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

from tests.system.harness import Cluster

SECONDS = 120  # a server imports for two seconds by itself, on a busy machine for many more


def on_stdio(cluster: Cluster, play: Callable[[Client], Awaitable[None]], **environment: str) -> None:
    """Let a client start `slurm mcp run` and talk to it."""

    async def main() -> None:
        env = {**cluster.environment, **environment}
        server = StdioServerParameters(command="slurm", args=["mcp", "run"], env=env, cwd=cluster.work)
        async with asyncio.timeout(SECONDS), Client(server) as client:
            await play(client)

    asyncio.run(main())


async def told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer
    found: dict[str, Any] = answer.structured_content
    return found


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The code of the error that a tool answers with."""
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error, answer
    return str(answer.structured_content["error"]["code"])


def test_an_agent_submits_waits_reads_and_cancels(cluster: Cluster) -> None:
    async def play(client: Client) -> None:
        status = await told(client, "cluster_status")
        assert status["cpus"]["total"] == 64 and status["gpus"]["total"] == 8 and not status["unusable_nodes"]
        job = (await told(client, "submit_command", command="echo hello; exit 3", options={"time": "00:05:00"}))["job_id"]
        [end] = (await told(client, "wait_for_jobs", job_ids=[job], timeout_seconds=30))["jobs"]
        assert (end["state"], end["exit_code"], end["successful"]) == ("FAILED", "3:0", False)
        assert (await told(client, "job_output", job_id=job))["text"] == "hello\n"
        array = (await told(client, "submit_script", script="#!/bin/sh\nsleep 300\n", options={"array": "0-5%2"}))["job_id"]
        elements = (await told(client, "get_job", job_id=array))["jobs"]
        assert any(job["why"].startswith("as many elements of its array") for job in elements)
        waits = await told(client, "explain_job", job_id=f"{array}_[2-5%2]")
        assert waits["reason"] == "JobArrayTaskLimit" and waits["explanation"][0].endswith("(JobArrayTaskLimit)")
        assert await refused(client, "explain_job", job_id="999999") == "job_not_found"
        ends = (await told(client, "cancel_jobs", job_ids=[array, job, "999999"]))["jobs"]
        assert [one["result"] for one in ends] == ["cancelled", "ended", "unknown"]
        assert (await told(client, "wait_for_jobs", job_ids=[array], timeout_seconds=30))["finished"]
        assert not (await told(client, "validate_script", script="#!/bin/sh\n#SBATCH -n 1000\n"))["valid"]
        assert (await told(client, "validate_script", script="#!/bin/sh\n"))["message"].startswith("Job ")
        assert await refused(client, "submit_command", command="true", options={"partition": "nowhere"}) == "submission_refused"
        assert await refused(client, "get_job", job_id="999999") == "job_not_found"
        queue = json.loads((await client.read_resource("slurm://queue")).contents[0].text)  # type: ignore[union-attr]
        assert queue["jobs"] == []

    on_stdio(cluster, play)


def test_without_a_cluster_every_tool_says_so_and_the_server_goes_on(cluster: Cluster) -> None:
    async def play(client: Client) -> None:
        for tool in ("cluster_status", "list_partitions", "list_jobs"):
            assert await refused(client, tool) == "no_cluster"

    on_stdio(cluster, play, SLURM_PY_INSTANCE="nobody")


def test_an_environment_that_the_slurmfile_has_not_is_refused_at_the_start(cluster: Cluster) -> None:
    (cluster.work / "Slurmfile.toml").write_text('[default]\nbackend = "local"\n[lab]\nbackend = "local"\n')
    for transport in ("stdio", "http"):
        done = cluster.run("slurm", "mcp", "run", "-e", "wrong", "-t", transport, "-p", "0", stdin="")
        assert done.status == 1 and "wrong" in done.err and "lab" in done.err, done
    (cluster.work / "Slurmfile.toml").unlink()
    done = cluster.run("slurm", "mcp", "run", "-e", "wrong", stdin="")
    assert done.status == 1 and "Slurmfile" in done.err, done


def test_a_server_whose_client_has_gone_ends_though_a_tool_waits(cluster: Cluster) -> None:
    job = cluster.sbatch("--hold", "--wrap", "true")
    server = cluster.spawn("slurm", "mcp", "run")
    assert server.stdin is not None and server.stdout is not None
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "an older client", "version": "1"}}
    wait = {"name": "wait_for_jobs", "arguments": {"job_ids": [job], "timeout_seconds": 300}}
    for message in ({"id": 1, "method": "initialize", "params": hello}, {"method": "notifications/initialized"},
                    {"id": 2, "method": "tools/call", "params": wait}, {"id": 3, "method": "tools/call", "params": {"name": "list_jobs", "arguments": {}}}):
        print(json.dumps({"jsonrpc": "2.0", **message}), file=server.stdin, flush=True)
    assert json.loads(server.stdout.readline())["id"] == 1
    answer = json.loads(server.stdout.readline())
    assert answer["id"] == 3 and answer["result"]["structuredContent"]["total"] == 1, "another tool was kept waiting"
    server.stdin.close()
    assert server.wait(SECONDS) == 0
    cluster.ok("scancel", job)


def test_over_http_only_who_shows_the_token_is_let_in(cluster: Cluster) -> None:
    server = cluster.spawn("slurm", "mcp", "run", "--transport", "http", "--port", "0", "--read-only")
    assert server.stderr is not None
    url, token = server.stderr.readline().split()[-1], server.stderr.readline().split()[-1]

    async def main() -> None:
        async with (asyncio.timeout(SECONDS), create_mcp_http_client(headers={"Authorization": f"Bearer {token}"}) as http,
                    Client(streamable_http_client(url, http_client=http)) as client):
            assert {one["name"] for one in (await told(client, "list_partitions"))["partitions"]} == {"debug", "gpu"}
            assert await refused(client, "cancel_job", job_id="1") == "invalid_arguments"

    try:
        assert url.startswith("http://127.0.0.1:")
        asyncio.run(main())
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": token}):
            assert _status(url, headers) == 401
        port = int(url.rpartition(":")[2].partition("/")[0])
        taken = cluster.run("slurm", "mcp", "run", "-t", "http", "-p", str(port))
        assert taken.status == 1 and "cannot listen" in taken.err
        beyond = cluster.run("slurm", "mcp", "run", "-t", "http", "-p", "99999")
        assert beyond.status == 1 and "there is no port 99999" in beyond.err
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(SECONDS) == 130


def test_other_machines_are_not_let_in_without_a_token_of_the_users(cluster: Cluster) -> None:
    result = cluster.run("slurm", "mcp", "run", "-t", "http", "--host", "0.0.0.0", "--port", "0")
    assert result.status == 1 and "give a token" in result.err
    token = cluster.work / "token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    token.chmod(0o644)
    result = cluster.run("slurm", "mcp", "run", "-t", "http", "--host", "0.0.0.0", "--port", "0", "--token-file", "token")
    assert result.status == 1 and "chmod 600" in result.err
    token.chmod(0o600)
    server = cluster.spawn("slurm", "mcp", "run", "-t", "http", "--host", "0.0.0.0", "--port", "0", "--token-file", "token")
    try:
        assert server.stderr is not None
        port = int(server.stderr.readline().rpartition(":")[2].partition("/")[0])
        assert _status(f"http://{socket.gethostbyname('localhost')}:{port}/mcp", {}) == 401
    finally:
        server.terminate()
        server.wait(SECONDS)


def test_status_says_how_a_client_is_told(cluster: Cluster) -> None:
    found = json.loads(cluster.ok("slurm", "mcp", "status", "--json"))
    assert found["answers"] and "submit_script" in found["tools"] and found["client"]["slurm"]["args"] == ["mcp", "run"]
    away = cluster.run("slurm", "mcp", "status", "--name", "nobody")
    assert away.status == 1 and "slurm up" in away.out
    named = json.loads(cluster.run("slurm", "--name", "nobody", "mcp", "status", "--json").out)
    assert named["client"]["slurm"]["args"] == ["mcp", "run", "--name", "nobody"]


def _status(url: str, headers: dict[str, str]) -> int:
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
