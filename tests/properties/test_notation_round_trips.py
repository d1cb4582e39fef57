"""What a notation shows reads back to the same value, and nothing but NotationError comes out of garbage."""

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slurm.notation import (
    array,
    dependency,
    duration,
    exitstatus,
    export,
    features,
    filenames,
    gres,
    hostlist,
    jobref,
    moment,
    nearest,
    nodecount,
    signal,
    size,
    tres,
)
from slurm.notation.dependency import Clause, Dependency
from slurm.notation.errors import NotationError
from slurm.notation.exitstatus import ExitStatus
from slurm.notation.gres import GresRequest
from slurm.notation.jobref import JobRef
from slurm.notation.signal import SignalRequest
from slurm.notation.taskset import TaskSet

NOW = 1_795_221_769.0
WORDS = st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True)
HOSTS = st.from_regex(r"[a-z]{0,3}[0-9]{0,4}(-?[a-z]{1,2}[0-9]{0,3})?", fullmatch=True).filter(bool)
JOBS = st.integers(1, 999_999_999)
TASKS = st.integers(0, 400)
TASK_IDS = st.frozensets(TASKS, max_size=60)
RUNS = st.lists(st.tuples(TASKS, st.integers(0, 60), st.integers(1, 9)), max_size=6)


@given(st.lists(HOSTS, max_size=40))
def test_a_compressed_host_list_expands_to_the_same_hosts(hosts: list[str]) -> None:
    assert hostlist.expand(hostlist.compress(hosts)) == hosts
    assert hostlist.count(hostlist.compress(hosts)) == len(hosts)


@given(st.lists(HOSTS, max_size=40))
def test_a_sorted_host_list_keeps_every_host(hosts: list[str]) -> None:
    assert sorted(hostlist.expand(hostlist.compress(hosts, sort=True))) == sorted(hosts)


@given(st.integers(0, 400 * 86400))
def test_a_length_of_time_reads_back_from_both_styles(seconds: int) -> None:
    assert duration.parse(duration.show(seconds)) == seconds
    assert duration.parse(duration.show_clock(seconds)) == seconds


@given(st.integers(86400, 4_000_000_000))
def test_a_shown_moment_reads_back_unless_the_clock_was_set_back_that_hour(epoch: int) -> None:
    again = moment.parse(moment.show(epoch), NOW)
    assert datetime.fromtimestamp(again) == datetime.fromtimestamp(epoch)


@given(st.integers(0, 1 << 29), st.booleans())
def test_a_size_shows_so_that_nothing_is_rounded_away(mb: int, convert: bool) -> None:
    shown = size.show_mb(mb, convert=convert)
    assert tres.parse(f"mem={shown}") == {"mem": mb}


@given(TASK_IDS, st.integers(0, 99))
def test_an_array_reads_back(ids: frozenset[int], limit: int) -> None:
    tasks = TaskSet.of(ids)
    assert list(tasks) == sorted(ids)
    if ids:
        spec = array.parse(array.show(tasks, limit))
        assert (spec.tasks, spec.limit) == (tasks, limit)


@given(RUNS)
def test_runs_that_cross_make_the_union_of_their_ids(runs: list[tuple[int, int, int]]) -> None:
    expected = {task for low, more, step in runs for task in range(low, low + more + 1, step)}
    tasks = TaskSet((low, low + more, step) for low, more, step in runs)
    assert list(tasks) == sorted(expected)
    assert len(tasks) == len(expected)
    assert all((task in tasks) == (task in expected) for task in range(480))


@given(RUNS, st.lists(st.tuples(st.sampled_from(["add", "remove", "pop", "cut"]), TASKS, TASKS), max_size=30))
def test_a_task_set_changes_as_a_plain_set_does(runs: list[tuple[int, int, int]], steps: list[tuple[str, int, int]]) -> None:
    tasks = TaskSet((low, low + more, step) for low, more, step in runs)
    plain = set(tasks)
    for kind, task, other in steps:
        match kind:
            case "add":
                tasks.add(task)
                plain.add(task)
            case "remove":
                tasks.remove(task)
                plain.discard(task)
            case "pop" if plain:
                assert tasks.pop_first() == min(plain)
                plain.remove(min(plain))
            case "cut":
                gone = TaskSet([(min(task, other), max(task, other), 1 + task % 4)])
                tasks.remove(gone)
                plain -= set(gone)
        assert list(tasks) == sorted(plain)
        assert len(tasks) == len(plain)
        assert tasks == TaskSet.of(plain)


@given(TASK_IDS, TASK_IDS)
def test_an_intersection_holds_what_both_hold(one: frozenset[int], other: frozenset[int]) -> None:
    assert list(TaskSet.of(one).intersection(TaskSet.of(other))) == sorted(one & other)


@given(JOBS, st.none() | TASK_IDS.filter(bool), st.sampled_from(["", "0", "17", "batch", "extern"]))
def test_a_job_reference_reads_back(job: int, ids: frozenset[int] | None, step: str) -> None:
    reference = JobRef(job, None if ids is None else TaskSet.of(ids), step)
    assert jobref.parse(reference.show()) == reference


CLAUSES = st.one_of(
    st.just(Clause("singleton")),
    st.builds(
        lambda kind, job, task, whole, minutes: Clause(kind, job, None if whole else task, whole, minutes * 60),
        st.sampled_from(["after", "afterok", "afternotok", "afterany", "aftercorr"]),
        JOBS,
        st.none() | TASKS,
        st.booleans(),
        st.integers(0, 999),
    ),
)


@given(st.lists(CLAUSES, min_size=1, max_size=5, unique=True), st.booleans())
def test_a_dependency_reads_back(clauses: list[Clause], is_any: bool) -> None:
    shown = Dependency(tuple(clauses), is_any).show()
    assert dependency.parse(shown) == Dependency(tuple(clauses), is_any and len(clauses) > 1)


@given(st.lists(st.builds(GresRequest, WORDS, st.just("") | WORDS.filter(lambda word: gres.parse(f"x:{word}")[0].type), st.integers(0, 10**9))))
@example([GresRequest("gpu", "a100", 2)])
def test_generic_resources_read_back(requests: list[GresRequest]) -> None:
    if not (len(requests) == 1 and requests[0].name == "none"):
        assert gres.parse(gres.show(requests)) == requests
        assert gres.parse(gres.show(requests, prefix="gres/")) == requests


@given(st.dictionaries(st.sampled_from([*tres.ORDER, "gres/gpu", "gres/gpu:a100"]), st.integers(1, 10**9)))
def test_trackable_resources_read_back(amounts: dict[str, int]) -> None:
    assert tres.parse(tres.show(amounts)) == amounts
    assert tres.parse(tres.show(amounts, alphabetical=True, convert=False)) == amounts


@given(st.integers(1, 64), st.integers(0, 65535), st.booleans(), st.booleans())
def test_a_signal_request_reads_back(number: int, seconds: int, batch: bool, reservation: bool) -> None:
    request = SignalRequest(number, seconds, batch, reservation)
    assert signal.parse_request(signal.show_request(request)) == request


@given(st.integers(0, 255), st.integers(0, 64))
def test_an_exit_status_reads_back(code: int, number: int) -> None:
    status = ExitStatus(code, number)
    assert exitstatus.parse(status.show()) == status
    ended = ExitStatus(0, number) if number else status
    assert exitstatus.from_wait(ended.to_wait()) == ended


FEATURES = WORDS.map(features.Feature)
GROUPS = st.recursive(
    FEATURES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: features.All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: features.Any(tuple(parts))),
    ),
    max_leaves=6,
)
TREES = st.one_of(
    GROUPS,
    st.lists(GROUPS, min_size=1, max_size=3).map(lambda parts: features.Matching(tuple(parts))),
    st.lists(st.builds(features.Counted, GROUPS, st.integers(1, 99)), min_size=1, max_size=3).map(lambda parts: features.Mixed(tuple(parts))),
)


@given(TREES)
def test_a_constraint_reads_back(tree: features.Tree) -> None:
    assert features.parse(features.show(tree)) == tree


@given(TREES, st.frozensets(WORDS))
def test_a_node_with_every_feature_named_fits_any_constraint(tree: features.Tree, more: frozenset[str]) -> None:
    assert features.evaluate(tree, more | set(features.names(tree)))


READERS: list[Callable[[str], object]] = [
    array.parse,
    dependency.parse,
    duration.parse,
    exitstatus.parse,
    export.parse,
    features.parse,
    gres.parse,
    gres.parse_gpus,
    hostlist.expand,
    jobref.parse_list,
    lambda text: moment.parse(text, NOW),
    nodecount.parse,
    signal.parse,
    signal.parse_request,
    size.parse_mb,
    size.parse_bytes,
    tres.parse,
]


@pytest.mark.parametrize("read", READERS)
@given(st.one_of(st.text(max_size=30), st.text("0123456789-:,+_[]()*&|%@=.?/ TGKnowafterok", max_size=20)))
@example("²")
@example("1" * 30)
@example("[" * 20)
@example("(" * 2000)
@example("\x00")
def test_garbage_is_refused_with_a_notation_error_and_nothing_else(read: Callable[[str], object], text: str) -> None:
    try:
        read(text)
    except NotationError as error:
        assert str(error)


@given(st.text(max_size=30), st.integers(0, 10**9), st.none() | st.integers(0, 10**6))
def test_any_pattern_makes_a_file_name(pattern: str, job: int, task: int | None) -> None:
    fields = filenames.Fields(job=job, array_job=job, array_task=task)
    name = filenames.expand(pattern, fields)
    if "%" not in pattern and "\\" not in pattern:
        assert name == pattern


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=8))
def test_the_nearest_word_is_a_candidate_and_a_candidate_is_nearest_to_itself(word: str, candidates: list[str]) -> None:
    assert nearest.nearest(word, candidates) in [*candidates, None]
    if word.lower():
        found = nearest.nearest(word, [*candidates, word])
        assert found is not None
        assert found.lower() == word.lower()
