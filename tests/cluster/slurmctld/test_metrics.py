"""Metrics: who may have which numbers, and plain HTTP where MetricsType allows it."""

import asyncio
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from slurm.net.authority import Authority
from slurm.net.endpoint import tcp
from slurm.net.plain_get import Get, Got
from slurm.net.server import Server
from slurm.net.tls import Trust
from slurm.slurmctld.handlers.metrics import PlainMetrics
from slurm.slurmctld.session import user_name
from slurm.wire.follow_messages import METRICS
from tests.cluster.slurmctld.conftest import ALICE, BOB, CONF, ROOT, Play, Stage


async def _asked(s: Stage, uid: int, kind: str) -> dict[str, Any]:
    return await s.client(uid).ask("ReadMetrics", what=kind)


def test_everybody_reads_metrics_where_nothing_is_private(play: Play) -> None:
    async def scene(s: Stage) -> None:
        await s.client().submit(hold=True)
        for kind in METRICS:
            families = list(text_string_to_metric_families((await _asked(s, ALICE, kind))["text"]))
            assert families, kind
        found = {family.name: family for family in text_string_to_metric_families((await _asked(s, ALICE, "jobs"))["text"])}
        assert found["slurm_jobs_pending"].samples[0].value == 1
        assert (await _asked(s, ALICE, "weather"))["type"] == "Failure"

    play(scene)


def test_what_is_private_is_told_to_operators_and_to_those_who_are_named(play: Play) -> None:
    async def private(s: Stage) -> None:
        assert {kind: (await _asked(s, ALICE, kind))["type"] for kind in METRICS} == {
            "jobs": "Failure", "jobs-users-accts": "Failure", "nodes": "Text", "partitions": "Failure", "scheduler": "Text", "slurmctld": "Text"}
        assert (await _asked(s, ROOT, "jobs"))["type"] == "Text"

    async def named(s: Stage) -> None:
        assert [(await _asked(s, uid, "jobs"))["type"] for uid in (ALICE, BOB, ROOT)] == ["Text", "Failure", "Text"]

    async def ignored(s: Stage) -> None:
        assert (await _asked(s, BOB, "jobs"))["type"] == "Text"

    play(private, conf=CONF + "PrivateData=jobs\n")
    play(named, conf=CONF + f"PrivateData=jobs\nMetricsAuthUsers={user_name(ALICE)}\n")
    play(ignored, conf=CONF + "PrivateData=jobs\nMetricsParameters=ignore_private_data\n")


async def _got(s: Stage, path: str, **headers: str) -> Got:
    return await PlainMetrics(s.ctl).on_get(Get(path, {name.replace("_", "-"): value for name, value in headers.items()}))


def test_plain_http_needs_a_token_where_something_is_private(play: Play) -> None:
    async def public(s: Stage) -> None:
        assert (await _got(s, "/metrics")).body.splitlines()[0] == "/metrics/jobs"
        plain, modern = await _got(s, "/metrics/jobs"), await _got(s, "/metrics/jobs/", accept="application/openmetrics-text;version=1.0.0")
        assert (plain.status, plain.content_type.partition(";")[0]) == (200, "text/plain")
        assert modern.content_type.startswith("application/openmetrics-text")
        assert [(await _got(s, path)).status for path in ("/", "/metrics/x", "/metricsjobs")] == [404, 404, 404]
        assert (await _got(s, "/metrics/jobs", x_slurm_user_token="x.y.z")).status == 401

    async def private(s: Stage) -> None:
        assert [(await _got(s, path)).status for path in ("/metrics", "/metrics/jobs", "/metrics/scheduler")] == [401, 401, 401]

    play(public)
    play(private, conf=CONF + "PrivateData=jobs\n")
    play(private, conf=CONF + "MetricsAuthUsers=prometheus\n")


def test_many_who_scrape_at_once_cost_one_look(play: Play, monkeypatch: Any) -> None:
    async def scene(s: Stage) -> None:
        looked = []
        view = s.ctl.view
        monkeypatch.setattr(s.ctl, "view", lambda caller=None: looked.append(1) or view(caller))
        plain = PlainMetrics(s.ctl)
        await asyncio.gather(*(plain.on_get(Get("/metrics/jobs", {})) for _ in range(100)))
        assert len(looked) == 1

    play(scene)


def test_a_port_that_takes_tls_answers_a_get_only_where_it_is_told_to() -> None:
    async def answered(request: Get) -> Got:
        return Got(200, f"{request.path} {request.headers['host']}\n")

    async def said(place: Any, *pieces: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(place.host, place.port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def main() -> None:
        server = Server(lambda peer, codec, payload: None, trust=Trust(Authority(b"k" * 32, "lab").credentials("slurmctld", "ctl")))
        place = await server.listen(tcp("127.0.0.1", 0))
        assert b"HTTP" not in await said(place, b"GET /metrics HTTP/1.1\r\nHost: ctl\r\n\r\n")
        server.answer_gets(answered)
        whole = await said(place, b"GET /metrics?x=1 HTTP/1.1\r\nHost: ctl\r\n\r\n")
        assert whole.startswith(b"HTTP/1.1 200 OK\r\n") and whole.endswith(b"\r\n\r\n/metrics ctl\n")
        assert (await said(place, b"G", b"ET /a HTTP", b"/1.1\r\nHost: c", b"tl\r\n\r\n")).endswith(b"/a ctl\n")
        for wrong in (b"GET / nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", b"GET /" + b"x" * 20_000, b"POST / HTTP/1.1\r\n\r\n"):
            assert b"200" not in await said(place, wrong)
        await server.close()

    asyncio.run(main())
