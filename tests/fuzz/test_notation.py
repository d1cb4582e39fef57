"""Whatever text stands where a notation is expected: a value or the error that is documented, within a bound of time and memory."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.model.errors import SlurmError
from slurm.notation import (
    array,
    dependency,
    duration,
    exitstatus,
    export,
    features,
    filenames,
    gpu_bind,
    gres,
    hostlist,
    jobref,
    moment,
    nearest,
    nodecount,
    printable,
    signal,
    size,
    sluid,
    tres,
)
from slurm.notation.taskset import TaskSet
from slurm.render import fields
from slurm.render import format as layouts
from tests.fuzz.seeds import SCALE, TODAY, fuzzed
from tests.fuzz.surprises import nothing_stays

WithSeed = Callable[[Callable[[], None]], None]
TABLE = fields.JOB
NOW = 1_795_221_727.0
SECONDS = 1.0
"""Of the thread's CPU for one text, however long: no notation takes more than a message holds (64 KiB here)."""
MEGABYTES = 256
FIELDS = filenames.Fields(job=12, job_name="n", user="u", node_name="cn01", array_job=3, array_task=4)
PARSERS: dict[str, tuple[Callable[[str], Any], list[str]]] = {
    "array": (array.parse, ["1-3", "0-10:2%2", "1,2,5-7%3", "[1-3]"]),
    "array of a site": (lambda text: array.parse(text, 1001), ["1-1000", "0-1000:7"]),
    "dependency": (dependency.parse, ["afterok:1:2+5,afterany:3_4", "singleton", "after:1?afternotok:2"]),
    "duration": (duration.parse, ["1-02:03:04", "90", "10:30", "UNLIMITED", "2-0"]),
    "exit status": (exitstatus.parse, ["0:0", "1:15"]),
    "export": (export.parse, ["ALL,A=b,C", "NONE", "NIL", "A='x,y'"]),
    "features": (features.parse, ["a&b|c", "[a*2&b*1]", "(a|b)&!c", "[a|b]"]),
    "file names": (lambda text: filenames.expand(text, FIELDS), ["slurm-%j.out", "%A_%a-%N.%x", "%5j%%"]),
    "gpu bind": (gpu_bind.parse, ["closest", "map_gpu:0,1*3", "mask_gpu:0x3,0x1", "per_task:2", "single:1,verbose"]),
    "gres": (gres.parse, ["gpu:a100:2,shard:4", "gpu", "gpu:2k", "none"]),
    "gpus": (gres.parse_gpus, ["a100:2,v100:1", "4"]),
    "host list": (hostlist.expand, ["cn[01-03,07]-ib[0-1],login", "a,b", "x[9-10]"]),
    "count of hosts": (hostlist.count, ["cn[01-99999]", "a[1-2]b[1-3]"]),
    "hosts in order": (lambda text: hostlist.compress(text.split(","), sort=True), ["cn1,cn2,cn10", "a01b2,a01b3"]),
    "job": (jobref.parse, ["12_3", "12_[1-3,7]", "12.0", "12.batch", "12_*"]),
    "jobs": (jobref.parse_list, ["1,2_3,4.0", "7"]),
    "moment": (lambda text: moment.parse(text, NOW), ["2027-01-01T10:00", "now+2hours", "tomorrow", "16:00", "010230", "noon"]),
    "moment of the past": (lambda text: moment.parse(text, NOW, past=True), ["now-1days", "2020-01-01"]),
    "node count": (nodecount.parse, ["2-4", "1,3,5-9:2", "8k", "4"]),
    "signal": (signal.parse, ["USR1", "SIGTERM", "10"]),
    "signal before the end": (signal.parse_request, ["B:USR1@60", "R:10@5", "TERM"]),
    "memory": (size.parse_mb, ["4G", "1.5T", "100", "7K"]),
    "bytes": (size.parse_bytes, ["10M", "1.5G", "12B"]),
    "tasks": (TaskSet.parse, ["1-3,7", "0-100:5", "5"]),
    "tres": (tres.parse, ["cpu=4,mem=10G,gres/gpu:a100=2", "node=1"]),
    "tres, each": (tres.parse_each, ["cpu=4,mem=10G", "gres/gpu=1"]),
    "columns by letter": (lambda text: layouts.parse_short(text, TABLE), ["%.18i %.9P", "%i|%j", "%.8u %all"]),
    "columns by name": (lambda text: layouts.parse_long(text, TABLE), ["jobid:10,name:.20", "JobArrayID,Reason:suffix"]),
    "shown to a terminal": (printable.printable, ["a\x1b[2Jb", "\u202e"]),
    "nearest word": (lambda text: nearest.nearest(text, ["partition", "parsable", "nodes"]), ["partiton", "x"]),
}
JUNK = ["[", "]", "[[", "(", ")", "((((((((", "!", "&", "|", "*", ":", "::", ",", ",,", "-", "--", "%", "@", "?", "+", "=", "/", ".", " ", "\t", "\n", "\0", "\x1b", "\u0661",
        "\u00b2", "\u2167", "\ufeff", "\udc80", "9" * 30, "9" * 5000, "-1", "1e9", "0x", "inf", "nan", "[0-999999999]", "[1-99999]x[1-99999]", "%999999999j", "2147483648", "\U0001d7d8"]
CROSSING = ["0-4000000:2,1-3999999:3", ",".join(f"{i}-{4_000_000 - i}:{i % 7 + 2}" for i in range(4000)), ",".join(f"{i * 900}-{i * 900 + 800}:2,{i * 900 + 1}-{i * 900 + 700}:3" for i in range(4000))]
LONG = ["[", "(", "!", "a,", "1,", "1-", "x[1-2]", "a&", "[a|", "%j", "afterok:1,", "gpu:1,", ":1", "9", "a", ",", " ", "'", "\\", "cpu=1,", "1_[1],", "\u0661", "-", "(a|", "[1-2],", "now+1", "1-2:1,", "x[1,"]


def sane(name: str, parse: Callable[[str], Any], text: str) -> None:
    """One text: an answer or a SlurmError with a sentence, in time and space."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.thread_time()
    try:
        parse(text)
    except SlurmError as error:
        assert error.message, f"{name}: {text!r:.100}"
        assert len(error.message) < 2_000, f"{name}: a message of {len(error.message)} characters"
    took = time.thread_time() - began
    assert took < SECONDS, f"{name}: {took:.2f} s for {len(text)} characters: {text!r:.60}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) >> 10
    assert grown < MEGABYTES, f"{name}: {grown} MB for {text!r:.60}"


@st.composite
def near(draw: Callable[[st.SearchStrategy[Any]], Any], samples: list[str]) -> str:
    """A text that nearly follows the notation: samples cut, doubled, joined, with junk put in."""
    text = str(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(text)))
        how = draw(st.integers(0, 4))
        piece = draw(st.sampled_from(JUNK) | st.text(max_size=3)) if how < 3 else draw(st.sampled_from(samples))
        cut = draw(st.integers(0, 3)) if how else 0
        text = text[:place] + piece + text[place + cut:]
    return text


@pytest.mark.parametrize("name", PARSERS)
def test_texts_that_nearly_follow_it(name: str, with_seed: WithSeed) -> None:
    parse, samples = PARSERS[name]

    @fuzzed(40)
    @given(near(samples) | st.text(max_size=30))
    def attack(text: str) -> None:
        sane(name, parse, text)

    with nothing_stays():
        with_seed(attack)


@pytest.mark.parametrize("name", PARSERS)
def test_texts_as_long_as_a_message_allows(name: str) -> None:
    parse, samples = PARSERS[name]
    for piece in (",", *(LONG if SCALE > 1 else random.Random(TODAY).sample(LONG, 5)), *samples):
        sane(name, parse, samples[0] + piece * (65_536 // len(piece)))
    for piece in (",", *samples):
        sane(name, parse, ",".join([piece] * (65_536 // (len(piece) + 1))))
    for text in CROSSING:
        sane(name, parse, text)
        sane(name, parse, f"1_[{text}]")


@pytest.mark.parametrize("show", [duration.show, duration.show_clock, moment.show, lambda value: moment.show_as("%c", value, NOW), lambda value: sluid.show(value, 1)])
def test_times_that_nobody_has(show: Callable[[float], str], with_seed: WithSeed) -> None:
    @fuzzed(60)
    @given(st.floats(0, 253_370_764_800))
    def attack(value: float) -> None:
        assert isinstance(show(value), str)

    with_seed(attack)
