"""Pages: who is let in, what protects forms, and that nothing that users write becomes markup."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import pytest

from slurm.model.errors import NotPermitted, SlurmError
from slurm.net.discovery import Site
from slurm.slurmrestd import bodies
from slurm.slurmrestd.application import Application, Settings
from slurm.slurmrestd.authentication import PLUGINS, Claim, Client, own_uid
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.web.sessions import MOST_LINKS, MOST_OF_A_USER, MOST_SESSIONS, Sessions
from slurm.wire.messages import Rows

SITE = Site(cluster="test", conf="/nowhere/slurm.conf", endpoints=())
EVIL = "<script>alert('x')</script>\" onload=alert(1)"


class Answer(NamedTuple):
    """Status, headers and body of a reply."""

    status: int
    headers: dict[str, str]
    body: str


class FakeCluster:
    """What pages ask, answered with texts that somebody evil chose."""

    def __init__(self) -> None:
        self.held: list[str] = []

    def jobs(self, fields: list[str], which: Any = None, **more: Any) -> Rows:
        """One job."""
        return Rows(rows=[["7" if name.startswith("JobArrayId") else "PENDING" if name == "State" else EVIL for name in fields]], total=1)

    def nodes(self, fields: list[str], **more: Any) -> list[list[str]]:
        """One node."""
        texts = {"CPUsState": "2/2/0/4", "StateLong": "mixed", "Memory": "1000", "AllocMem": "500", "Gres": "gpu:a:2", "GresUsed": "gpu:a:1(IDX:0)"}
        return [[texts.get(name, EVIL) for name in fields]]

    def hold(self, job: str) -> None:
        """Remember it."""
        self.held.append(job)

    def requeue(self, job: str) -> None:
        """Nobody asks for it here."""
        raise AssertionError(job)

    def release(self, job: str) -> None:
        """Refuse it."""
        raise NotPermitted(hints=[EVIL])


class FakeConnections:
    """The ways to a fake cluster."""

    user, uid = "ada", 1000

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster

    def close(self) -> None:
        """Nothing is open."""


class Browser:
    """Sends requests to the pages and keeps its cookie."""

    def __init__(self, plugins: tuple[str, ...] = PLUGINS, *, pages: bool = True) -> None:
        self.cluster, self.time, self.cookie = FakeCluster(), 1_000_000.0, ""
        self.application = Application(
            Settings(SITE, plugins, pages=pages), now=lambda: self.time,
            opening=cast(Callable[[Site, Claim, str], Connections], self._open))

    def _open(self, site: Site, claim: Claim, place: str) -> FakeConnections:
        if claim.token == "bad":
            raise SlurmError("SLURM_AUTHENTICATION_ERROR", "Authentication failure")
        return FakeConnections(self.cluster)

    def ask(self, method: str, place: str, form: dict[str, str] | None = None, uid: int = -1, **headers: str) -> Answer:
        """A reply; `uid`: by a unix socket."""
        path, _, query = place.partition("?")
        body = urlencode(form or {}).encode()
        sent = {"host": "127.0.0.1:6820", "cookie": self.cookie, "content-type": "application/x-www-form-urlencoded",
            **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope: dict[str, Any] = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(), "http_version": "1.1", "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value], "server": ("127.0.0.1", 6820),
            "state": {"client": Client("test", uid)}}
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(dict(message))

        asyncio.run(self.application.asgi(scope, receive, send))
        found = {name.decode().lower(): value.decode() for name, value in told[0]["headers"]}
        if "set-cookie" in found:
            self.cookie = found["set-cookie"].partition(";")[0]
        return Answer(told[0]["status"], found, b"".join(one.get("body", b"") for one in told[1:]).decode())

    def log_in(self) -> Answer:
        """By a link that the unix socket gives."""
        path = self.ask("POST", "/web/link", uid=own_uid()).body.partition('"path":"')[2].partition('"')[0]
        return self.ask("GET", path)

    def csrf(self) -> str:
        """What this log-in's forms bring."""
        return self.ask("GET", "/queue").body.partition('name="csrf" value="')[2].partition('"')[0]


def test_who_is_not_logged_in_is_sent_to_the_log_in_and_back() -> None:
    found = Browser().ask("GET", "/queue?state=pending")
    assert (found.status, found.headers["location"]) == (303, "/login?next=%2Fqueue%3Fstate%3Dpending")


def test_a_link_logs_in_once() -> None:
    browser = Browser()
    path = browser.ask("POST", "/web/link", uid=own_uid()).body.partition('"path":"')[2].partition('"')[0]
    entered = browser.ask("GET", path)
    assert entered.status == 303
    assert {"HttpOnly", "SameSite=lax"} <= {word.strip() for word in entered.headers["set-cookie"].split(";")}
    assert browser.ask("GET", path).status == 403
    assert browser.ask("GET", "/").status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_that_another_sites_page_leads_to_logs_nobody_in(site: str) -> None:
    """What is typed from then on would be read by whoever made the link."""
    browser = Browser()
    path = browser.ask("POST", "/web/link", uid=own_uid()).body.partition('"path":"')[2].partition('"')[0]
    refused = browser.ask("GET", path, sec_fetch_site=site)
    assert refused.status == 403 and "set-cookie" not in refused.headers and "address line" in refused.body
    assert browser.ask("HEAD", path).status == 200, "who only looks where it leads uses nothing up"
    assert browser.ask("GET", path, sec_fetch_site="none").status == 303


def test_behind_a_proxy_that_speaks_tls_the_cookie_is_sent_by_tls_only() -> None:
    browser = Browser()
    entered = browser.ask("POST", "/login", {"token": "good"}, origin="https://page.example", host="page.example")
    assert "secure" in {word.strip().lower() for word in entered.headers["set-cookie"].split(";")}
    entered = browser.ask("POST", "/login", {"token": "good"}, origin="http://page.example", host="page.example")
    assert "secure" not in {word.strip().lower() for word in entered.headers["set-cookie"].split(";")}


def test_who_logs_in_again_and_again_ends_only_log_ins_and_links_of_his_own() -> None:
    sessions = Sessions(lambda: 1000.0)
    others, link = sessions.begin(Claim("bob"), "bob"), sessions.link(Claim("bob"), "bob")
    mine = [sessions.begin(Claim("eve"), "eve") for _ in range(MOST_SESSIONS + 1)]
    links = [sessions.link(Claim("eve"), "eve") for _ in range(MOST_LINKS + 1)]
    assert sessions.find(others) is not None and sessions.redeem(link) is not None
    assert sum(sessions.find(name) is not None for name in mine) == MOST_OF_A_USER and sessions.find(mine[-1]) is not None
    assert sum(sessions.redeem(word) is not None for word in links) == MOST_OF_A_USER


def test_a_link_is_too_old_after_ten_minutes() -> None:
    browser = Browser()
    path = browser.ask("POST", "/web/link", uid=own_uid()).body.partition('"path":"')[2].partition('"')[0]
    browser.time += 601
    assert browser.ask("GET", path).status == 403


def test_a_link_is_given_to_nobody_on_a_tcp_port_who_brings_no_token() -> None:
    assert Browser().ask("POST", "/web/link").status == 401


def test_a_token_logs_in_and_a_bad_one_does_not() -> None:
    browser = Browser()
    assert browser.ask("POST", "/login", {"token": "bad"}).status == 401
    assert browser.ask("GET", "/").status == 303
    assert browser.ask("POST", "/login?next=//evil.example/", {"token": "good"}).headers["location"] == "/"
    assert browser.ask("GET", "/").status == 200


def test_tokens_are_not_taken_where_the_plug_in_is_not_loaded() -> None:
    browser = Browser(plugins=("rest_auth/local",))
    assert browser.ask("POST", "/login", {"token": "good"}).status == 401
    assert "takes no tokens" in browser.ask("GET", "/login").body


def test_a_session_ends_when_it_is_idle_and_when_its_user_logs_out() -> None:
    browser = Browser()
    browser.log_in()
    browser.time += 9 * 3600
    assert browser.ask("GET", "/").status == 303
    browser.log_in()
    cookie = browser.cookie
    assert browser.ask("POST", "/logout", {"csrf": browser.csrf()}).status == 303
    browser.cookie = cookie
    assert browser.ask("GET", "/").status == 303


@pytest.mark.parametrize("headers", [
    {}, {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://["}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}])
def test_a_form_needs_its_sessions_token_and_its_own_origin(headers: dict[str, str]) -> None:
    browser = Browser()
    browser.log_in()
    form = {"action": "hold", "job": "7", **({"csrf": browser.csrf()} if headers else {})}
    assert browser.ask("POST", "/queue", form, **headers).status == 403
    assert browser.cluster.held == []


def test_a_form_of_the_page_does_what_it_says() -> None:
    browser = Browser()
    browser.log_in()
    form = {"action": "hold", "job": "7", "csrf": browser.csrf(), "next": "//evil.example/"}
    found = browser.ask("POST", "/queue", form, origin="http://127.0.0.1:6820", sec_fetch_site="same-origin")
    assert (found.status, found.headers["location"]) == (303, "/queue")
    assert browser.cluster.held == ["7"]
    assert "Held: job 7" in browser.ask("GET", "/queue").body


def test_what_is_refused_is_said_once_and_as_text() -> None:
    browser = Browser()
    browser.log_in()
    browser.ask("POST", "/queue", {"action": "release", "job": "7", "csrf": browser.csrf()})
    told = browser.ask("GET", "/queue").body
    assert "Job 7: " in told and "&lt;script&gt;" in told
    assert "Job 7: " not in browser.ask("GET", "/queue").body


@pytest.mark.parametrize("place", ["/", "/queue", "/queue?columns=Comment&columns=WorkDir", "/nodes", "/queue?q=%3Cscript%3E%22", "/nodes?state=%22%3E%3Cscript%3E", "/submit"])
def test_nothing_that_users_write_becomes_markup(place: str) -> None:
    browser = Browser()
    browser.log_in()
    found = browser.ask("GET", place)
    assert found.status == 200
    assert "<script>" not in found.body
    assert '" onload' not in found.body


def test_headers_that_browsers_do_not_send_change_no_page() -> None:
    browser = Browser()
    browser.log_in()
    for host in ("evil/x?y", "a:b", "[", ""):
        assert browser.ask("GET", "/queue", host=host).status == 200
        assert "evil" not in browser.ask("GET", "/queue", host=host).body


def test_a_form_that_is_too_large_or_none_is_refused() -> None:
    browser = Browser()
    browser.log_in()
    assert browser.ask("POST", "/login", {"token": "x" * 70_000}).status == 403
    assert browser.ask("POST", "/queue", {"csrf": browser.csrf()}, content_type="text/plain").status == 403


def test_a_path_that_is_nothing_is_said_to_be_so_whatever_the_host_is_called() -> None:
    for host in ("[", "a:b", "evil/x?y", ""):
        assert Browser().ask("GET", "/nothing", host=host).status == 404


def test_forms_and_pages_take_their_places_among_all_that_their_user_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser()
    browser.log_in()
    csrf = browser.csrf()
    monkeypatch.setattr(bodies, "LARGEST_OF_A_USER", 5000)
    big = {"action": "hold", "job": "7", "csrf": csrf, "more": "x" * 6000}
    refused = browser.ask("POST", "/queue", big)
    assert refused.status == 503 and "too many large requests of yours" in refused.body and browser.cluster.held == []
    assert browser.ask("POST", "/queue", {**big, "more": "x" * 4000}).status == 303, "what is over has given its place back"
    assert not browser.application._bodies._held_of and not browser.application._turns._inside


def test_pages_let_in_no_script_of_others_and_no_frame() -> None:
    browser = Browser()
    browser.log_in()
    for place in ("/", "/login", "/nothing-there", "/static/x/nothing"):
        headers = browser.ask("GET", place).headers
        if "content-security-policy" in headers:
            assert "script-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
        else:
            assert headers["content-type"] == "application/json"
    page = browser.ask("GET", "/").body
    assert "style=" not in page.replace('rel="stylesheet"', "")
    assert "http://" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "") and "https://" not in page


def test_a_page_that_has_not_changed_is_not_sent_again() -> None:
    browser = Browser()
    browser.log_in()
    tag = browser.ask("GET", "/queue").headers["etag"]
    assert browser.ask("GET", "/queue", if_none_match=tag).status == 304


def test_without_pages_the_root_is_the_apis() -> None:
    browser = Browser(pages=False)
    for place in ("/", "/queue", "/login", "/live"):
        found = browser.ask("GET", place)
        assert (found.status, found.headers["content-type"]) == (404, "application/json")
