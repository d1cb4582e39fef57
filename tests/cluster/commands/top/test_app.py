"""The screen of `slurm top`, driven by keys and mouse at 80 by 24, on a cluster in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot
from textual.widgets import Log, Static

from slurm.commands.top.app import TopApp
from slurm.commands.top.dialogs import Question
from slurm.commands.top.job_page import JobPage, clean
from slurm.sdk.following.using import Use
from tests.cluster.commands.top.fake_source import FakeSource, job, node

Play = Callable[[TopApp, FakeSource, Pilot[int]], Awaitable[None]]
SECONDS = 15.0


def on(source: FakeSource, play: Play) -> None:
    """Run the app on `source`, wait until it shows something, and play."""

    async def main() -> None:
        app = TopApp(source)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await until(pilot, lambda: app.snapshot is not None or bool(source.away))
            await play(app, source, pilot)

    asyncio.run(main())


async def until(pilot: Pilot[int], what: Callable[[], bool]) -> None:
    """Let the app go on until something holds."""
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline, f"it did not happen; the screen is\n{screen(pilot.app)}"
        await pilot.pause(0.02)


def screen(app: object) -> str:
    """What stands on the screen."""
    found = app.screen._compositor.render_strips() if hasattr(app, "screen") else []
    return "\n".join(strip.text.rstrip() for strip in found)


def busy() -> FakeSource:
    """Three jobs, one of another user, and two nodes."""
    return FakeSource([job("7", used="1:00:00", name="train"), job("12", "PENDING", reason="Resources", used="0:00", name="sweep"),
                       job("9", user="bob", used="59:59", name="other's")], [node("cn10"), node("cn9", 0, state="DOWN*", reason="Not responding")])


def test_the_screen_shows_cluster_jobs_and_nodes_within_80_columns() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        text = screen(app)
        assert "test" in text and "2 running" in text and "1 pending" in text and "4/32" in text
        assert [row.id for row in app.queue.shown] == ["7", "9", "12"], "those that wait come last"
        assert "(Resources)" in text and "cn01" in text and "sweep" in text
        assert all(len(line) <= 80 for line in text.splitlines())
        await pilot.press("2")
        await until(pilot, lambda: "Not responding" in screen(app))
        assert "16.0G/64G" in screen(app) or "16G/64G" in screen(app)

    on(busy(), play)


def test_a_wide_screen_shows_what_running_jobs_use_beside_what_they_have() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await pilot.resize_terminal(120, 24)
        await until(pilot, lambda: "CPU%" in screen(app))
        assert "%" not in screen(app).splitlines()[4], "nothing is known yet"
        source.uses = {"7": Use(97.6, 1536, 4096), "9": Use(3.0, 12)}
        await until(pilot, lambda: "98%" in screen(app))
        line = next(line for line in screen(app).splitlines() if line.startswith("7 "))
        assert "1.5G/4G" in line
        assert any(line.startswith("9 ") and " 3% " in line and " 12M " in line for line in screen(app).splitlines())
        app.queue.sort_by(next(number for number, column in enumerate(app.queue.columns) if column.title == "CPU%"), backwards=True)
        assert [row.id for row in app.queue.shown] == ["7", "9", "12"]

    on(busy(), play)


def test_on_a_narrow_terminal_state_time_and_reason_stay_and_the_headings_fit() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        source.interval = app.interval = 3600.0
        await pilot.resize_terminal(60, 15)
        await until(pilot, lambda: "(Resources)" in screen(app))
        lines = screen(app).splitlines()
        assert "1:00:00" in screen(app) and "TIME" in screen(app) and "cn01" in screen(app)
        assert all(word in lines[1] for word in ("CPU", "MEM", "GPU")) and ":" in lines[0]
        assert all(len(line) <= 60 for line in lines)
        await pilot.press("2")
        await until(pilot, lambda: "Not respondin" in screen(app))

    on(busy(), play)


def test_a_click_on_a_heading_sorts_times_by_their_length_and_the_second_turns_round() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        time_at = screen(app).splitlines()[3].index("TIME")
        await pilot.click("#queue", offset=(time_at, 0))
        assert [row.id for row in app.queue.shown] == ["12", "9", "7"]
        await pilot.click("#queue", offset=(time_at, 0))
        assert [row.id for row in app.queue.shown] == ["7", "9", "12"]
        await pilot.press("s", "s")
        assert app.queue.sorted_by == app.queue.columns.index(app.queue.columns[-1])

    on(busy(), play)


def test_the_cursor_stays_on_its_job_when_others_come_and_go() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await pilot.press("down")
        assert app.queue.current is not None and app.queue.current.id == "9"
        source.jobs = [job("1"), job("2"), *source.jobs[1:]]
        await until(pilot, lambda: len(app.queue.shown) == 4)
        assert app.queue.current.id == "9" and app.queue.cursor == 2

    on(busy(), play)


def test_typing_filters_and_escape_drops_the_filter() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await pilot.press("slash", "S", "w", "space", "a", "d", "a", "enter")
        assert [row.id for row in app.queue.shown] == ["12"]
        await until(pilot, lambda: "filter: Sw ada" in screen(app))
        await pilot.press("escape")
        assert len(app.queue.shown) == 3
        await pilot.press("slash", "z", "z")
        await until(pilot, lambda: "no job matches the filter" in screen(app))

    on(busy(), play)


def test_m_shows_only_the_users_own_jobs() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await pilot.press("m")
        assert [row.id for row in app.queue.shown] == ["7", "12"]
        source.jobs = [job("9", user="bob")]
        await until(pilot, lambda: "no job of ada" in screen(app))

    on(busy(), play)


def test_an_empty_queue_says_so() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "the queue is empty" in screen(app))
        await pilot.press("enter", "c")
        await until(pilot, lambda: "choose a job" in screen(app))

    on(FakeSource(nodes=[node("cn1")]), play)


def test_a_job_is_cancelled_after_a_question_and_what_became_of_it_is_told() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await pilot.press("end", "c")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("enter")  # the harmless button has the focus
        await until(pilot, lambda: not isinstance(app.screen, Question))
        assert source.done == []
        await pilot.press("c", "y")
        await until(pilot, lambda: "job 12 is cancelled" in screen(app))
        assert source.done == [("cancel", "12")]
        await until(pilot, lambda: "sweep" not in screen(app))

    on(busy(), play)


def test_a_refused_action_is_told_in_the_words_of_the_cluster() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        source.away = "Access/permission denied"
        await pilot.press("h")
        await until(pilot, lambda: "Access/permission denied" in screen(app))

    on(busy(), play)


def test_a_cluster_that_goes_away_is_told_and_comes_back_by_itself() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        source.away = "connection refused"
        await until(pilot, lambda: "does not answer since" in screen(app) and "what you see is old" in screen(app))
        assert "sweep" in screen(app)
        source.away = ""
        await until(pilot, lambda: "does not answer" not in screen(app))

    on(busy(), play)


def test_a_cluster_that_is_away_is_told_with_what_to_do_within_three_lines() -> None:
    source = busy()
    source.away = ("squeue: error: Unable to contact slurm controller (connect failure)\n"
                   f"squeue: hint: tried unix:/home/ada/{'x' * 100}/slurmctld.sock: Connection refused\n"
                   "squeue: hint: the cluster default is not running: start it with `slurm up`")

    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "start it with" in screen(app))
        text = " ".join(screen(app).split())
        assert "Unable to contact slurm controller (connect failure); the cluster default is not running: start it with `slurm up`" in text
        assert "squeue:" not in text and "tried" not in text

    on(source, play)


def test_a_cluster_that_never_answered_leaves_no_empty_tables_without_a_word() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "no slurmctld" in " ".join(screen(app).split()) and "nothing is known" in screen(app))

    on(FakeSource(away="no slurmctld"), play)


def test_enter_shows_why_a_job_waits_and_escape_goes_back() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await pilot.press("end", "enter")
        await until(pilot, lambda: "Why it waits" in screen(app) and "Resources is lacking" in screen(app) and "It can start when" in screen(app))
        assert "/home/ada/train.sh" in screen(app)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, JobPage))

    on(busy(), play)


def test_the_log_of_a_job_is_followed_while_it_grows() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        source.log_text = b"epoch 1\n"
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, JobPage) and "epoch 1" in screen(app))
        source.log_text += b"\x1b[31mepoch 2\x1b[0m\n"
        await until(pilot, lambda: "epoch 2" in screen(app))
        assert "\x1b" not in "".join(app.screen.query_one("#stdout", Log).lines)
        await pilot.press("e")
        await until(pilot, lambda: "goes where standard output goes" in str(app.screen.query_one("#job-note", Static).render()))

    on(busy(), play)


def test_a_progress_bar_in_a_log_shows_its_last_state() -> None:
    assert clean("a\r\n 10%\r 50%\r100%\nend") == "a\n100%\nend"


def test_what_others_call_their_jobs_gives_no_orders_to_the_terminal() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        seen = [screen(app)]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, JobPage) and app.screen.record is not None)
        seen.append(screen(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Question) and "Cancel job" in screen(app))
        seen.append(screen(app))
        await pilot.press("n", "escape", "2", "enter")
        await until(pilot, lambda: "disk" in screen(app))
        seen.append(screen(app))
        assert all("red" in text for text in seen) and not any(letter in text for text in seen for letter in "\x1b\x07\x9b")

    on(FakeSource([job("7", "PENDING", name="\x1b[31mred\x1b]0;title\x07")], [node("cn1", 0, state="DOWN", reason="\x1b[31mred\x9b disk")]), play)


def test_half_an_order_to_the_terminal_at_the_end_of_a_piece_of_log_is_left_out() -> None:
    assert clean("a\x1b[31mb\tc\n\x07d\x9b\x1b") == "ab\tc\nd"


def test_space_stops_the_questions_and_starts_them_again() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await pilot.press("space")
        await until(pilot, lambda: "PAUSED" in screen(app) and not app._asking)
        before = source.looks
        await pilot.pause(4 * source.interval)
        assert source.looks == before
        await pilot.press("space")
        await until(pilot, lambda: source.looks > before)

    on(busy(), play)


def test_ten_thousand_jobs_are_sorted_filtered_and_refreshed_without_delay() -> None:
    async def play(app: TopApp, source: FakeSource, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: len(app.queue.shown) == 10_000)
        began = time.process_time()
        await pilot.press("end", "s", "s", "slash", "9", "9", "9")
        assert app.queue.shown and all("999" in row.id for row in app.queue.shown)
        source.jobs = source.jobs[1:]
        looks = source.looks
        await until(pilot, lambda: source.looks > looks + 1)
        assert time.process_time() - began < 5.0

    on(FakeSource([job(str(number), "PENDING", reason="Priority") for number in range(1, 10_001)], interval=0.5), play)
