"""The web page in headless Chromium, as a user clicks: submit, watch, read, cancel, understand why, drain a node."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests.system.browser import Browser
from tests.system.harness import Cluster, gate

EVIL = "<img src=x onerror='window.broken=1'><script>window.broken=1</script>"


@pytest.fixture(scope="module")
def browser(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that is logged in, and in the end has nothing to complain of."""
    found = Browser(cluster, tmp_path_factory.mktemp("chromium"))
    yield found
    complaints = found.complaints()
    found.close()
    assert not complaints


def test_a_job_is_submitted_watched_read_and_cancelled(browser: Browser, cluster: Cluster) -> None:
    browser.go("/")
    browser.says("Nothing runs.")
    browser.click("nav a[href='/submit']")
    browser.write("textarea[name=script]", f"#!/bin/bash\necho first line\n{gate('go')}\necho second line\nsleep 600\n")
    browser.write("[name=option-job-name]", "from a browser")
    browser.write("[name=option-chdir]", str(cluster.work))
    browser.write("[name=option-time]", "soon")
    browser.says("Invalid --time specification")
    browser.write("[name=option-time]", "10")
    browser.says("It would start")
    browser.press("Submit")
    browser.says("Submitted batch job 1")
    browser.until(lambda: browser.text("h1 .state") == "Running", "the job does not run")
    browser.says("first line")
    assert "second line" not in browser.text()
    cluster.open_gate("go")
    browser.says("second line")
    browser.press("Cancel", sure=True)
    browser.says("Cancelled: job 1")
    browser.until(lambda: browser.text("h1 .state") == "Cancelled", "the job is not cancelled")


def test_a_waiting_job_says_why_and_what_it_is_tied_to(browser: Browser, cluster: Cluster) -> None:
    first = cluster.sbatch("-J", "prepare", "--wrap", gate("prepared"))
    second = cluster.sbatch("-J", "train", "-d", f"afterok:{first}", "--wrap", "true")
    browser.go("/queue")
    browser.follow(second)
    browser.says("Why it waits")
    browser.says("(Dependency)")
    browser.says(f"{first} (prepare")
    browser.until(lambda: "afterok" in browser.text(".graph") and "prepare" in browser.text(".graph"), "the graph is not drawn")
    cluster.open_gate("prepared")
    browser.until(lambda: browser.text("h1 .state") == "Completed", "the page does not follow the job to its end")


def test_a_page_learns_at_once_that_something_has_changed(browser: Browser, cluster: Cluster) -> None:
    browser.go("/queue?q=sudden")
    browser.says("No job fits this filter.")
    browser.driver.execute_script("document.body.addEventListener('cluster-changed', () => { window.heard = true; })")
    cluster.sbatch("-J", "sudden", "-b", "now+1hour", "--wrap", "true")
    browser.until(lambda: browser.driver.execute_script("return window.heard"), "no event came")
    browser.until(lambda: "sudden" in browser.text("tbody"), "the queue does not show the job")
    cluster.ok("scancel", "-n", "sudden")


def test_what_is_reserved_and_what_was_can_be_read(browser: Browser, cluster: Cluster) -> None:
    job = cluster.sbatch("-J", "for the record", "--wrap", "true")
    cluster.until_ended(job)
    cluster.ok("scontrol", "create", "reservation", "ReservationName=course", "StartTime=now+1hour", "Duration=60", "Users=root", "Nodes=cn01")
    browser.go("/reservations")
    browser.until(lambda: "course" in browser.text(".chart") and "course" in browser.text("tbody"), "the reservation is not shown")
    cluster.ok("scontrol", "delete", "reservation", "course")
    cluster.until(lambda: "for the record" in cluster.ok("sacct", "-j", job, "-o", "jobname%20"), why="accounting has no record")
    browser.go("/history?days=1")
    browser.says("for the record")
    browser.go("/accounts")
    browser.says("normal")
    later = cluster.sbatch("-J", "foreseen", "-b", "now+1hour", "-t", "10", "--wrap", "true")
    browser.go("/plan")
    browser.until(lambda: f"{later} foreseen" in browser.text(".chart"), "the plan does not show the job")
    cluster.ok("scancel", later)
    browser.go("/diagnostics")
    browser.says("slurmctld answers")


def test_jobs_are_held_released_and_cancelled_together(browser: Browser, cluster: Cluster) -> None:
    jobs = [cluster.sbatch("-J", "many", "-b", "now+1hour", "--wrap", "true") for _ in range(3)]
    browser.go("/queue?q=many")
    browser.click("input[data-all=job]")
    browser.press("Hold")
    browser.says("Held: jobs")
    assert {cluster.field(job, "Reason") for job in jobs} == {"JobHeldAdmin"}, "whose cluster it is is its operator"
    browser.click(f"input[name=job][value='{jobs[0]}']")
    browser.press("Release")
    browser.says(f"Released: job {jobs[0]}")
    browser.press("Hold")
    browser.says("No job is ticked")
    browser.click("input[data-all=job]")
    browser.press("Cancel", sure=True)
    browser.says("No job fits this filter.")


def test_a_node_is_drained_with_a_reason_and_resumed(browser: Browser, cluster: Cluster) -> None:
    browser.go("/nodes")
    browser.click("input[name=node][value=cn02]")
    browser.press("Drain")
    browser.says("A node goes out of service with a reason")
    browser.click("input[name=node][value=cn02]")
    browser.write("[name=reason]", "the fan is loud")
    browser.press("Drain")
    browser.says("Draining: cn02")
    assert "the fan is loud" in cluster.ok("sinfo", "-R")
    browser.follow("cn02")
    browser.says("the fan is loud")
    browser.press("Resume")
    browser.says("Resumed: cn02")
    assert "cn02" not in cluster.ok("sinfo", "-R")


def test_what_users_write_is_never_markup(browser: Browser, cluster: Cluster) -> None:
    job = cluster.sbatch("-J", EVIL, f"--comment={EVIL}", f"--output=out-{'%j'}<b>.txt", "--wrap", f'echo "{EVIL}"; ls "{EVIL}"')
    cluster.until_ended(job)
    cluster.ok("scontrol", "update", "nodename=cn03", "state=drain", f"reason={EVIL}")
    columns = "columns=Name&columns=Comment&columns=Command"
    for place in ("/", "/queue?state=completed", f"/queue?q={job}&state=completed&{columns}", "/nodes", "/node/cn03", f"/job/{job}",
            f"/submit?like={job}", "/history", "/diagnostics"):
        browser.go(place)
        browser.until(lambda: "Loading" not in browser.text(), "something was not loaded")
        assert browser.driver.execute_script("return window.broken") is None, place
        assert not browser.all("main img, main script"), place
    cluster.ok("scontrol", "update", "nodename=cn03", "state=resume")


@pytest.mark.parametrize("place", [
    "/", "/queue", "/nodes", "/node/cn01", "/job/", "/submit", "/plan", "/reservations", "/history", "/accounts", "/diagnostics"])
def test_a_page_fits_a_telephone_in_the_dark(browser: Browser, cluster: Cluster, place: str) -> None:
    if place == "/job/":
        place += cluster.sbatch("-J", "a_name_that_is_longer_than_the_screen_of_any_telephone", "--hold", "--wrap", "true")
    browser.size(360, 740, dark=True)
    try:
        browser.go(place)
        browser.until(lambda: "Loading" not in browser.text(), "something was not loaded")
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= 360
        colour = browser.driver.execute_script("return getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g)")
        assert max(map(int, colour[:3])) < 64
    finally:
        browser.size(1280, 900)


def test_a_page_is_used_by_keyboard(browser: Browser) -> None:
    browser.go("/queue")
    browser.find("body").send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "To the content"
    browser.find("body").send_keys("/")
    assert browser.driver.switch_to.active_element.get_attribute("name") == "q"
    browser.driver.switch_to.active_element.send_keys("nobody's job", Keys.ENTER)
    browser.says("No job fits this filter.")


def test_who_has_no_session_sees_nothing(browser: Browser) -> None:
    connection = http.client.HTTPConnection(browser.address.removeprefix("http://"), timeout=20)
    for method, place, status in (("GET", "/queue", 303), ("POST", "/queue", 303), ("GET", "/login", 200), ("POST", "/web/link", 401)):
        connection.request(method, place, body="" if method == "POST" else None)
        reply = connection.getresponse()
        reply.read()
        assert (reply.status, reply.getheader("X-Frame-Options")) == (status, "DENY")
    connection.close()
