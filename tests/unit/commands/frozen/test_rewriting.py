"""What freezing does to a module's source, piece by piece: it still does what it did."""

from __future__ import annotations

import ast
from types import ModuleType

import pytest

from slurm.commands.frozen.light import typing as light_typing
from slurm.commands.frozen.rewrite import rewritten


def run(source: str) -> dict[str, object]:
    """The names of a module after its frozen code was run."""
    module = ModuleType("frozen_example")
    exec(compile(rewritten(ast.parse(source)), "example", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__


PAIR = '''
from __future__ import annotations
from typing import NamedTuple
ORIGIN = 0
class Pair(NamedTuple):
    """Two."""
    left: int
    right: int = ORIGIN + 1
    """The other."""
    names: tuple[str, ...] = ()
    @property
    def total(self) -> int:
        """Both."""
        return self.left + self.right
    def __str__(self) -> str:
        return f"{self.left}/{self.right}"
'''


def test_a_named_tuple_is_what_it_was() -> None:
    plain: dict[str, object] = {"__name__": "plain"}
    exec(compile(PAIR, "plain", "exec"), plain)
    shown = []
    for names in (plain, run(PAIR)):
        Pair = names["Pair"]
        assert isinstance(Pair, type)
        one = Pair(1)  # type: ignore[call-arg]
        other = Pair(right=5, left=3)  # type: ignore[call-arg]
        shown.append((
            tuple(one), repr(one), str(other), other.total, other._replace(left=9), Pair._make([7, 8, ()]), other._asdict(), Pair._fields,  # type: ignore[attr-defined]
            Pair._field_defaults, Pair.__match_args__, one == (1, 1, ()), hash(one) == hash((1, 1, ())), hasattr(one, "__dict__")))  # type: ignore[attr-defined]
        with pytest.raises(TypeError):
            Pair()
        with pytest.raises(TypeError):
            Pair(1, unknown=2)  # type: ignore[call-arg]
        with pytest.raises(ValueError, match="unknown"):
            one._replace(unknown=2)  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            one.left = 4  # type: ignore[attr-defined]
    assert shown[0] == shown[1]
    assert isinstance(run(PAIR)["Pair"], type) and issubclass(run(PAIR)["Pair"], light_typing.NamedTuple)  # type: ignore[arg-type]


def test_annotations_and_docstrings_are_gone_and_values_are_not() -> None:
    names = run('"""A module."""\nfrom __future__ import annotations\nfrom collections.abc import Callable\nsize: int = 3\nlater: Callable[[], None]\n'
                'class A:\n    """Only this."""\ndef f(a: Callable[[], int] = max, *b: int, c: str = "x", **d: int) -> int:\n    """Says."""\n    e: int = a(1, 2)\n    return e\n')
    assert names["size"] == 3 and "later" not in names and "annotations" not in names and "Callable" not in names
    function = names["f"]
    assert callable(function) and function() == 2 and function.__doc__ is None and function.__annotations__ == {}


def test_a_type_that_is_used_when_the_module_runs_is_still_imported() -> None:
    names = run("from collections.abc import Callable, Mapping\nHook = Callable[[int], str]\n")
    assert "Callable" in names and "Mapping" not in names


@pytest.mark.parametrize(("call", "text"), [
    (r"re.compile(r'([A-Za-z]+)[ \t]*=[ \t]*(\"[^\"]*\"|\S+)')", 'Key = "a b" other=7'), (r"re.compile(r'^(.*?)([0-9]{1,18})$', re.DOTALL)", "n\n12"),
    (r"re.compile(r'(?P<name>é+)|x', re.IGNORECASE)", "ÉéX"), (r"re.compile('a' + 'b')", "ab")])
def test_a_pattern_compiled_when_frozen_matches_as_ever(call: str, text: str) -> None:
    import re

    found = run(f"import re\npattern = {call}\n")["pattern"]
    real = eval(call, {"re": re})
    assert isinstance(found, re.Pattern)
    assert found == real and found.groupindex == real.groupindex
    assert [each.groups() for each in found.finditer(text)] == [each.groups() for each in real.finditer(text)]


def test_line_numbers_are_those_of_the_source() -> None:
    source = '"""A module\nof two lines."""\nimport re\n\n\ndef f() -> None:\n    """Fails."""\n    raise ValueError\n'
    code = compile(rewritten(ast.parse(source)), "example", "exec")
    function = next(each for each in code.co_consts if hasattr(each, "co_lines"))
    assert 8 in {line for _, _, line in function.co_lines()}
