"""Constraints: what one node may take part in, and what is left to the scheduler."""

import pytest

from slurm.notation import features
from slurm.notation.errors import NotationError
from slurm.notation.features import Counted, Feature

NODE = {"a", "b"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a", True),
        ("c", False),
        ("A", False),
        ("a&b", True),
        ("a,c", False),
        ("a|c", True),
        ("a|b&c", False),
        ("c|a&b", True),
        ("c&d|a", True),
        ("(a|c)&b", True),
        ("(a|b)&c", False),
        ("(c|d)|a", True),
        ("a&(c|b)", True),
        ("a|(b&c)", True),
        ("[a|c]", True),
        ("[c|d]", False),
        ("[a*1&c*1]", True),
        ("[c*1&d*1]", False),
        ("c*4", True),
        ("a*1&c", False),
        ("[(a&b)*4&c*1]", True),
    ],
)
def test_a_node_with_features_a_and_b_is_judged_as_slurm_judges_it(text: str, fits: bool) -> None:
    tree = features.parse(text)
    assert tree is not None
    assert features.evaluate(tree, NODE) is fits


@pytest.mark.parametrize("text", ["a", "a&b", "a|b|c", "(a|b)&c", "a&(b|c)", "[a|b]", "[a|b]&c", "[a*2&b*4]", "[(k&f)*4&h*1]", "g*4", "(a&b)*2"])
def test_a_constraint_shows_as_it_was_written(text: str) -> None:
    assert features.show(features.parse(text)) == text


@pytest.mark.parametrize("text", ["a||b", "&a", "a&", "(a", "a)", "[a|c", "[a*1|c]", "a*0", "a*x", "()", "a b", "[a&b]", "[a|b]|[b|c]", "a*1|b"])
def test_a_malformed_constraint_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(NotationError) as caught:
        features.parse(text)
    assert caught.value.position is not None


def test_no_constraint_is_none() -> None:
    assert features.parse("") is None
    assert features.show(None) == ""


def test_names_come_once_in_the_order_written() -> None:
    tree = features.parse("[(knl&flat)*4&haswell*1]&knl")
    assert tree is not None
    assert features.names(tree) == ["knl", "flat", "haswell"]


def test_a_matching_or_gives_the_scheduler_one_constraint_an_option() -> None:
    tree = features.parse("[rack1|rack2]&ib")
    assert tree is not None
    assert [features.show(option) for option in features.alternatives(tree)] == ["rack1&ib", "rack2&ib"]


def test_counts_are_listed_for_the_scheduler() -> None:
    tree = features.parse("[rack1*2&rack2*4]")
    assert tree is not None
    assert features.counts(tree) == [Counted(Feature("rack1"), 2), Counted(Feature("rack2"), 4)]
    plain = features.parse("a&b")
    assert plain is not None
    assert features.counts(plain) == []
    assert features.alternatives(plain) == [plain]
