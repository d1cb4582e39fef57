"""Numbers as Prometheus reads them: the text of OpenMetrics 1.0, which its older text format understands, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

GAUGE, COUNTER = "gauge", "counter"
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""For those who do not ask for the former."""
Number = int | float
Labels = Mapping[str, str]
_NONE: Labels = {}


class Family(NamedTuple):
    """One metric: its name, what it tells, and its samples by labels. A counter's samples are named with `_total`."""

    name: str
    help: str
    samples: Sequence[tuple[Labels, Number]]
    kind: str = GAUGE


def gauge(name: str, help: str, value: Number) -> Family:
    """A metric without labels."""
    return Family(name, help, [(_NONE, value)])


def counter(name: str, help: str, value: Number) -> Family:
    """A number that only rises until the daemon starts anew."""
    return Family(name, help, [(_NONE, value)], COUNTER)


def by(label: str, name: str, help: str, values: Mapping[str, Number], kind: str = GAUGE) -> Family:
    """A metric with one label."""
    return Family(name, help, [({label: key}, value) for key, value in values.items()], kind)


def text(families: Iterable[Family]) -> str:
    """The whole answer to a scrape."""
    lines: list[str] = []
    for family in families:
        lines += (f"# HELP {family.name} {_escaped(family.help)}", f"# TYPE {family.name} {family.kind}")
        name = f"{family.name}_total" if family.kind == COUNTER else family.name
        lines += (f"{name}{_labels(labels)} {_number(value)}" for labels, value in family.samples)
    return "\n".join([*lines, "# EOF", ""])


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: Number) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"
