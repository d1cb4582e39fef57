"""Keywords of @task: which are taken, what they become, what is said about wrong ones."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from slurm import Cluster, task
from slurm.options import directives as notation
from slurm.sdk import cluster, options
from slurm.sdk.calls import caching
from slurm.sdk.errors import InvalidOption
from slurm.sdk.following import retry
from slurm.sdk.packaging.settings import KEYS


def test_the_typed_keywords_are_the_rows_of_the_option_table() -> None:
    stub = ast.parse(Path(options.__file__).with_name("keywords.pyi").read_text())
    declared = next(node for node in stub.body if isinstance(node, ast.ClassDef))
    names = [node.target.id for node in declared.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    assert names == [*options.rows(), *options.ALIASES, "packaging", *(f"packaging_{key}" for key in KEYS["auto"]), *caching.WORDS, *retry.WORDS]


@pytest.mark.parametrize(("keywords", "texts"), [
    ({"time": "00:10:00", "mem": "4G", "cpus_per_task": 2}, {"time": "00:10:00", "mem": "4G", "cpus_per_task": "2"}),
    ({"time": timedelta(hours=25, seconds=5)}, {"time": "25:00:05"}),
    ({"memory": "2G", "name": "x"}, {"mem": "2G", "job_name": "x"}),
    ({"memory": "2G", "mem": "4G"}, {"mem": "4G"}),
    ({"exclusive": True, "hold": False}, {"exclusive": None}),
    ({"exclusive": None}, {"exclusive": None}),
    ({"account": None}, {}),
    ({"nodelist": ["cn01", "cn02"], "chdir": Path("/tmp")}, {"nodelist": "cn01,cn02", "chdir": "/tmp"}),
    ({"gpus-per-node": 2}, {"gpus_per_node": "2"}),
    ({"contiguous": True}, {"contiguous": None}),
    ({"dependency": "afterok:12_3:14?afterany:7", "constraint": "[(knl&flat)*4&haswell*1]"},
     {"dependency": "afterok:12_3:14?afterany:7", "constraint": "[(knl&flat)*4&haswell*1]"}),
    ({"dependency": "expand:12"}, {"dependency": "expand:12"}),
])
def test_keywords_become_the_texts_of_options(keywords: dict[str, object], texts: dict[str, str | None]) -> None:
    assert options.checked(keywords, "@task of f") == texts


@pytest.mark.parametrize(("keywords", "said"), [
    ({"cpu_per_task": 2}, "did you mean cpus_per_task?"),
    ({"tme": "1:00:00"}, "did you mean time?"),
    ({"walltime": "1:00:00"}, "did you mean time?"),
    ({"queue": "gpu"}, "did you mean partition?"),
    ({"array": "0-3"}, "call .map(items)"),
    ({"time": "soon"}, "Invalid --time specification"),
    ({"mem": "4Q"}, "a whole number with K, M"),
    ({"hold": "x"}, "takes True or False"),
    ({"dependency": "afterok:job"}, "valid: "),
    ({"dependency": "afterokay:12"}, 'did you mean "afterok"'),
    ({"constraint": "intel&"}, "a feature name is missing"),
    ({"time": True}, "takes a value"),
    ({"comment": "a\nb"}, "no value that an option of sbatch can have"),
    ({"frobnicate": 1}, "sbatch has no option frobnicate"),
])
def test_what_is_wrong_is_named_with_what_would_be_right(keywords: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidOption, match="@task of f") as caught:
        options.checked(keywords, "@task of f")
    assert said in str(caught.value)


@pytest.mark.parametrize(("make", "said"), [
    (lambda: task(retry=3)(len), "@task of len: sbatch has no option retry; did you mean retries?"),
    (lambda: task(cach=True)(len), "did you mean cache?"),
    (lambda: task(len).with_options(packagin="none"), "with_options of len: sbatch has no option packagin; did you mean packaging?"),
    (lambda: Cluster("inline", job_basedir="/scratch"), "Cluster: sbatch has no option job_basedir; did you mean job_base_dir?"),
    (lambda: Cluster("inline", host="login"), "did you mean hostname?"),
])
def test_a_slip_in_a_word_that_is_no_option_of_sbatch_is_named_too(make: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        make()
    assert said in str(caught.value)


def test_every_word_of_cluster_is_known_as_one() -> None:
    words = {name for name, one in inspect.signature(Cluster).parameters.items() if one.kind is not one.VAR_KEYWORD}
    assert words <= set(cluster._WORDS)


def test_other_options_lie_over_the_first_and_none_takes_one_away() -> None:
    base = options.checked({"mem": "4G", "exclusive": True, "time": 5}, "")
    assert options.merged(base, {"memory": "8G", "exclusive": False, "time": None}, "") == {"mem": "8G"}


def test_a_directive_reads_back_as_the_text_it_was_made_of() -> None:
    texts = {"comment": 'two words # and "quotes"', "output": "/a b/slurm-%j.out", "exclusive": None, "job_name": "it's"}
    lines = list(options.directives(texts))
    read = [word for given in notation.read("#!/bin/bash\n" + "\n".join(lines)).given for word in given.words]
    assert read == ["--comment=" + str(texts["comment"]), "--output=/a b/slurm-%j.out", "--exclusive", "--job-name=it's"]


def test_false_says_no_where_sbatch_has_a_word_for_it() -> None:
    assert options.checked({"requeue": False}, "here") == {"no_requeue": None}
    assert options.merged({"requeue": None, "mem": "1G"}, {"requeue": False}, "here") == {"mem": "1G", "no_requeue": None}
    assert options.merged({"no_requeue": None}, {"requeue": True}, "here") == {"requeue": None}
