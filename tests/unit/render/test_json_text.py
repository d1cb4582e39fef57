"""JSON and YAML as Slurm lays them out, whatever stands in a report."""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

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
    "k/y": ""
  }
}
"""


def test_a_large_report_costs_a_few_times_what_the_librarys_own_indented_json_costs() -> None:
    job: dict[str, json_text.Value] = {f"field{number}": {"set": True, "infinite": False, "number": number, "path": "/a/b"} for number in range(100)}
    report: dict[str, json_text.Value] = {"jobs": [job] * 40}

    def took(write: Callable[[], object]) -> float:
        began = time.thread_time()
        write()
        return time.thread_time() - began

    ours = min(took(lambda: json_text.encode(report, "json")) for _ in range(5))
    theirs = min(took(lambda: json.dumps(report, indent=2)) for _ in range(5))
    assert ours < 2 * theirs, f"{ours:.3f} s beside {theirs:.3f} s"
