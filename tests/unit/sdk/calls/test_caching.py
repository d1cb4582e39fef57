"""Caching: what was computed is found again, what may differ is not; elements by themselves, only good results, keys the same in every process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from slurm import Cluster, InvalidOption, JobContext, WorkflowContext, task, workflow
from slurm.sdk.calls.fingerprint import Fingerprint, Unknown
from tests.cluster.sdk.far_side import FarSide


@dataclass
class Point:
    """A value of the user's."""

    x: int
    tags: frozenset[str]


def _fingerprint() -> Fingerprint:
    def refuse(promise: Any) -> bytes:
        raise Unknown("no jobs here")

    return Fingerprint(refuse)


def _of(value: Any) -> bytes:
    return _fingerprint().of(value)


SAME = [
    lambda: {"b", "a", "c", "long enough to be no single character"}, lambda: [frozenset({1, 2}), {"x": (1, 2.5, None)}], lambda: Point(1, frozenset({"a", "b"})),
    lambda: numpy.arange(10).reshape(2, 5), lambda: Path("a/b"), lambda: (lambda x: x in {"p", "q", "r"}), lambda: b"1", lambda: OrderedDict(a=1), lambda: range(3),
]


@pytest.mark.parametrize("make", SAME)
def test_equal_values_have_one_fingerprint_whatever_objects_they_are_made_of(make: Any) -> None:
    assert _of(make()) == _of(make())
    twice = make()
    assert _of([twice, twice]) == _of([make(), make()])


def test_fingerprints_are_the_same_in_another_process_with_other_hashes() -> None:
    code = ("from tests.unit.sdk.calls.test_caching import SAME, _of\n"
            "print(*(_of(make()).hex() for make in SAME))")
    here = [_of(make()).hex() for make in SAME]
    for seed in ("1", "2"):
        out = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
                             capture_output=True, text=True, timeout=120, check=True).stdout
        assert out.split() == here


@pytest.mark.parametrize(("left", "right"), [
    (1, True), (1, 1.0), (0.0, -0.0), ("1", b"1"), ([1, 2], (1, 2)), ([1, 2], [2, 1]), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([[1], 2], [[1, 2]]),
    (numpy.zeros(4), numpy.zeros((2, 2))), (numpy.zeros(2, "i4"), numpy.zeros(2, "i8")), (Point(1, frozenset()), Point(2, frozenset())),
    (lambda x: x + 1, lambda x: x + 2), (lambda x=1: x, lambda x=2: x), (["ab", "c"], ["a", "bc"]), (os.path.join, os.path.split),
])
def test_values_that_may_make_a_difference_have_fingerprints_of_their_own(left: Any, right: Any) -> None:
    assert _of(left) != _of(right)


def test_functions_count_by_what_they_refer_to() -> None:
    def outer(inner: str, constant: int) -> Any:
        around: dict[str, Any] = {"__name__": "__main__", "LIMIT": constant}
        exec(f"class Kind:\n    def size(self): return {inner}\ndef helper(x): return Kind().size() + LIMIT\ndef f(x):\n    return helper(x) if x else f(1)", around)
        return around["f"]

    assert _of(outer("1", 5)) == _of(outer("1", 5))
    assert len({_of(outer("1", 5)), _of(outer("2", 5)), _of(outer("1", 6))}) == 3


_LOCK = "import threading\nTABLE = {'lock': threading.Lock(), 'rate': 1}\ndef f(): return TABLE['rate']\n"
_EDITS = {
    "what stands beside a lock": (_LOCK, "'rate': 1", "'rate': 2"),
    "a helper behind a cache": ("import functools\n@functools.lru_cache\ndef helper(): return 1\ndef f(): return helper()\n", "return 1", "return 2"),
    "a cached property": ("import functools\nclass K:\n    @functools.cached_property\n    def x(self): return 1\ndef f(): return K().x\n", "return 1", "return 2"),
    "an attribute of a function": ("def helper(): return helper.rate\nhelper.rate = 1\ndef f(): return helper()\n", "rate = 1", "rate = 2"),
    "a metaclass": ("class M(type):\n    def size(cls): return 1\nclass K(metaclass=M): pass\ndef f(): return K.size()\n", "return 1", "return 2"),
    "a long chain of helpers": ("".join(f"def f{n}(): return f{n + 1}()\n" for n in range(400)) + "def f400(): return 1\ndef f(): return f0()\n", "return 1", "return 2"),
}


@pytest.mark.parametrize("edit", _EDITS)
def test_an_edit_makes_another_function(edit: str) -> None:
    source, old, new = _EDITS[edit]

    def made(text: str) -> bytes:
        around: dict[str, Any] = {"__name__": "__main__"}
        exec(text, around)
        return _of(around["f"])

    assert made(source) == made(source) != made(source.replace(old, new))


@pytest.mark.parametrize("statement", ["import late_one; return late_one.value()", "from late_one import value; return value()", "from late_folder import inner; return inner.value()",
                                       "import late_folder.inner as inner; return inner.value()"])
def test_a_module_that_is_imported_only_inside_the_task_counts_with_those_that_it_imports(tmp_path: Path, statement: str) -> None:
    (tmp_path / "late_one.py").write_text("def value():\n    from late_two import TWO\n    return TWO\n")
    (tmp_path / "late_folder").mkdir()  # without __init__.py
    (tmp_path / "late_folder" / "inner.py").write_text("import late_two\ndef value(): return late_two.TWO\n")
    (tmp_path / "late_two.py").write_text("TWO = 2\n")
    code = f"import sys\nfrom tests.unit.sdk.calls.test_caching import _of\ndef f():\n    {statement}\nprint(_of(f).hex(), *(one for one in sys.modules if 'late' in one))"

    def told() -> str:
        return subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
                              capture_output=True, text=True, timeout=120, check=True).stdout

    before = told()
    assert before == told() and "late" not in before
    (tmp_path / "late_two.py").write_text("TWO = 3\n")
    assert told() != before


def test_functions_that_call_each_other_are_told_apart_in_whatever_order_they_are_asked_for() -> None:
    def made(constant: int) -> dict[str, Any]:
        around: dict[str, Any] = {"__name__": "__main__"}
        exec(f"def even(n): return {constant} if n == 0 else odd(n - 1)\ndef odd(n): return 0 if n == 0 else even(n - 1)\n", around)
        return around

    found = []
    for constant in (1, 2):
        one, functions = _fingerprint(), made(constant)
        found.append([one.of(functions["even"]), one.of(functions["odd"]), one.of([functions["odd"]])])
    assert len({*found[0], *found[1]}) == 6


def test_the_order_of_further_keywords_and_very_large_numbers_count(tmp_path: Path) -> None:
    @task(cache=True)
    def names(number: int, **columns: int) -> list[str]:
        return list(columns)

    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        assert names(10**5000, a=1, b=2).result() == ["a", "b"]
        assert names(10**5000, b=2, a=1).result() == ["b", "a"]
        assert names(10**5000, a=1, b=2).cached and not names(10**5000 + 1, a=1, b=2).cached


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(max_size=4) | st.binary(max_size=4) | st.dates() | st.decimals() | st.fractions(),
    lambda inner: (st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
                   | st.lists(inner, max_size=3).map(deque) | st.builds(partial, st.just(max), inner)), max_leaves=8)
_VIEWS = arrays("f8", (4, 4)).flatmap(lambda whole: st.sampled_from([whole.T, whole[::2], whole[:, ::2], numpy.asfortranarray(whole), whole[::-1]]))
_ARRAYS = (arrays(st.sampled_from(["i4", "i8", "f4", "f8", "c16", "?", "U3", "M8[s]"]), array_shapes(max_dims=2, max_side=3)) | _VIEWS
           | arrays("O", 2, elements=st.integers() | st.text()))


def _plain(value: Any) -> bytes:
    """Bytes by which nothing is hidden: a copy, so that what is one object twice does not show."""
    return pickle.dumps(pickle.loads(cloudpickle.dumps(value)), 5) if not isinstance(value, numpy.ndarray) else cloudpickle.dumps((value.dtype.str, value.shape, value.tolist()))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.tuples(_VALUES | _ARRAYS, _VALUES | _ARRAYS))
def test_whatever_pickles_to_something_else_has_another_fingerprint(values: tuple[Any, Any]) -> None:
    left, right = values
    again = pickle.loads(cloudpickle.dumps(left))
    assert _of(left) == _of(left)
    if not isinstance(left, numpy.ndarray):
        assert _of(again) == _of(left)
    if _of(left) == _of(right):
        assert repr(left) == repr(right) and _plain(left) == _plain(right)


def test_what_has_no_fingerprint_is_named() -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    assert _of(cyclic) == _of(cyclic)
    with pytest.raises(Unknown, match="lock cannot be told from others"):
        _of([threading.Lock()])


def _counted(folder: str, value: Any = 1, note: str = "") -> Any:
    with open(f"{folder}/runs", "a") as file:
        file.write("x")
    if value == "fail":
        raise ValueError(value)
    return [value]


def _runs(folder: Path) -> int:
    return os.path.getsize(folder / "runs") if (folder / "runs").exists() else 0


cached = task(_counted, cache=True, cache_ignore=("folder", "note"))


def test_a_call_that_was_made_before_is_a_finished_job_with_the_same_result(tmp_path: Path) -> None:
    folder = str(tmp_path)
    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        first = cached(folder, {"a"})
        assert first.result() == [{"a"}] and not first.cached
        again = cached(folder, value={"a"}, note="other")
        assert again.cached and again.done() and again.wait(0) and again.result() == [{"a"}]
        assert (again.status(), again.stdout(), list(again.logs()), again.cancel()) == ("COMPLETED", "", [], False)
        assert cached(folder).result() == [1] and cached(folder, 1).cached
    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        assert cached(folder, {"a"}).cached
        assert not cached.with_options(cache_version=2)(folder, {"a"}).cached
        assert not cached.with_options(cache=False)(folder, {"a"}).cached
        assert not cached.with_options(cache="shared")(folder, {"a"}).cached and cached.with_options(cache="shared")(folder, {"a"}).cached
        assert not cached.with_options(cache=tmp_path / "own")(folder, {"a"}).cached
        assert len(list((tmp_path / "own").iterdir())) == 1
    assert _runs(tmp_path) == 6


def test_only_good_results_are_kept(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        for _ in range(2):
            with pytest.raises(ValueError):
                cached(str(tmp_path), "fail").result()
    assert _runs(tmp_path) == 2


def test_of_an_array_only_the_elements_that_are_missing_are_submitted(tmp_path: Path) -> None:
    folder = str(tmp_path)
    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        assert cached.map([(folder, 1), (folder, 3)]).results() == [[1], [3]]
        array = cached.map([(folder, number) for number in range(5)])
        assert [job.cached for job in array] == [False, True, False, True, False]
        assert array.results() == [[0], [1], [2], [3], [4]] and array.chunks[0].size == 3
        assert _runs(tmp_path) == 5
        assert not array.cancel()
        known = cached.map([(folder, number) for number in range(5)])
        assert known.chunks == () and known.results() == array.results() and known.status() == {"COMPLETED": 5}
        assert task(sum)(known, start=[]).result() == [0, 1, 2, 3, 4]
    assert _runs(tmp_path) == 5


def test_a_job_argument_counts_by_the_key_of_its_result(tmp_path: Path) -> None:
    folder = str(tmp_path)
    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        first = cached(folder, [cached(folder, 1)])
        assert first.result() == [[[1]]]
        again = cached(folder, [cached(folder, 1)])
        assert again.cached and not cached(folder, [cached(folder, 2)]).cached
        with pytest.warns(UserWarning, match="this call is not cached: it was handed the result of Job"):
            assert not cached(folder, task(_counted)(folder, 1)).cached


def test_arguments_that_cannot_be_told_apart_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path / "jobs"), pytest.raises(TypeError, match=r'argument value cannot be looked up.*cache_ignore=\("value",\)'):
        cached(str(tmp_path), threading.Lock())


@pytest.mark.parametrize(("words", "said"), [
    ({"cache": 5}, "cache=5: give True, a name"), ({"cache": "a b"}, "cache='a b': a name of a cache"), ({"cache_version": 1}, "cache_version means something only"),
    ({"cache": True, "cache_ignore": "fodler"}, "cache_ignore='fodler' is no parameter; valid: folder, value, note"),
])
def test_what_is_wrong_about_caching_is_said_where_it_is_written(words: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        task(_counted, **words)
    assert said in str(caught.value)


def test_contexts_that_the_job_supplies_do_not_count(tmp_path: Path) -> None:
    @task(cache=True)
    def ranked(job: JobContext, value: int) -> int:
        return value

    @workflow(cache=True)
    def flow(ctx: WorkflowContext, value: int) -> int:
        return ranked(value).result()

    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        assert ranked(3).result() == 3 and ranked(3).cached
        assert flow(3).result() == 3 and flow(3).cached


def test_how_many_tasks_a_job_has_counts(tmp_path: Path) -> None:
    counted = task(lambda job: job.world_size, cache=True)
    with Cluster("inline", job_base_dir=tmp_path / "jobs"):
        one, three, four = (counted.with_options(ntasks=ntasks) for ntasks in (None, 3, 4))
        assert [three().result(), four().result(), three().cached, four().cached] == [3, 4, True, True]
        assert not one().cached and one().cached and one.with_options(ntasks=1)().cached


def test_several_jobs_may_keep_the_same_result_and_leave_one_file(tmp_path: Path) -> None:
    with Cluster("subprocess", job_base_dir=tmp_path / "jobs") as cluster:
        jobs = [cached(str(tmp_path), 7) for _ in range(3)]
        assert [job.result(60) for job in jobs] == [[7]] * 3
        cluster.close()
    assert len(list((tmp_path / "jobs" / ".cache" / "counted").iterdir())) == 1


def test_the_cache_is_removed_when_asked_for(tmp_path: Path) -> None:
    from tests.unit.sdk.tidying.test_cleanup import Queued

    cluster = Cluster("inline", backend=Queued(), job_base_dir=tmp_path / "jobs")
    with cluster:
        cached(str(tmp_path), 1).result()
    assert "cache" not in {one.kind for one in cluster.cleanup(older_than=0).removed}
    with cluster:
        assert cached(str(tmp_path), 1).cached
    gone = cluster.cleanup(older_than=0, cache=True).removed
    assert [one.kind for one in gone] == ["cache"], gone
    with cluster:
        assert not cached(str(tmp_path), 1).cached


def test_over_ssh_the_cache_lies_on_the_other_side(tmp_path: Path) -> None:
    far = FarSide(tmp_path)
    try:
        far.script("sbatch", 'n=0; while [ -d "$HOME/job$n" ]; do n=$((n+1)); done; mkdir "$HOME/job$n"; for path; do :; done; bash "$path" >&2; echo $n')
        far.script("squeue", "echo '0|COMPLETED|None'; echo '1|COMPLETED|None'")
        with Cluster("ssh", hostname="127.0.0.1", port=far.port, username="u", password="hunter2", known_hosts=far.known_hosts, look_for_keys=False,
                     allow_agent=False, job_base_dir="~/jobs", python=sys.executable) as cluster:
            assert cached(str(tmp_path), 5).result(60) == [5]
            again = cached(str(tmp_path), 5)
            assert again.cached and again.result(60) == [5]
            cluster.close()
        assert len(os.listdir(far.home / "jobs" / ".cache" / "counted")) == 1 and _runs(tmp_path) == 1
    finally:
        far.stop()
