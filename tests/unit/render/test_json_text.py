"""JSON and YAML as Slurm lays them out, whatever stands in a report."""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from slurm.render import json_text


class Word(enum.StrEnum):
    """A text of a type of its own."""

    PATH = "a/b"


def test_json_is_laid_out_with_escaped_slashes_and_every_kind_of_value() -> None:
    report: Mapping[str, json_text.Value] = {
        "text": 'a/b "q" \x1b é \U0001f600', "word": Word.PATH, "yes": True, "no": False, "none": None, "whole": -(2**70), "real": 0.5, "empty": {}, "list": [],
        "inside": MappingProxyType({"tuple": (1, "x", [None]), "k/y": ""})}
    assert json_text.encode(report, "json") == """{
  "text": "a\\/b \\"q\\" \\u001b \\u00e9 \\ud83d\\ude00",
  "word": "a\\/b",
  "yes": true,
  "no": false,
  "none": null,
  "whole": -1180591620717411303424,
  "real": 0.5,
  "empty": {
  },
  "list": [
  ],
  "inside": {
    "tuple": [
      1,
      "x",
      [
        null
      ]
    ],
    "k\\/y": ""
  }
}
"""


@given(st.recursive(st.none() | st.booleans() | st.integers(-2**63, 2**63) | st.text("a[]{},: /\\\"\n\x01\x7fé€😀\ud800", max_size=8), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.text("ab[]{}", max_size=3), inner, max_size=3), max_leaves=12))
def test_whatever_a_report_holds_is_read_back_and_stands_a_value_a_line(value: json_text.Value) -> None:
    text = json_text.encode({"jobs": value}, "json")
    assert json.loads(text) == {"jobs": value} and text.isascii()
    lines = text.splitlines()
    assert not [line for line in lines if line.rstrip(",").endswith(("[]", "{}"))]
    assert text.replace("\\/", "/") == _opened(json.dumps({"jobs": value}, indent=2)) + "\n"


def _opened(text: str) -> str:
    return "\n".join(
        f"{bare[:-1]}\n{' ' * (len(line) - len(line.lstrip(' ')))}{bare[-1]}{line[len(bare):]}" if bare.endswith(("[]", "{}")) else line
        for line in text.split("\n") for bare in [line.rstrip(",")])


def test_a_large_report_costs_half_of_what_the_librarys_own_indented_json_costs() -> None:
    job: dict[str, json_text.Value] = {f"field{number}": {"set": True, "infinite": False, "number": number, "path": "/a/b"} for number in range(100)}
    report: dict[str, json_text.Value] = {"jobs": [job] * 40}

    def took(write: Callable[[], object]) -> float:
        began = time.thread_time()
        write()
        return time.thread_time() - began

    ours = min(took(lambda: json_text.encode(report, "json")) for _ in range(5))
    theirs = min(took(lambda: json.dumps(report, indent=2)) for _ in range(5))
    assert ours < theirs / 2, f"{ours:.3f} s beside {theirs:.3f} s"
