"""getopt_long's grammar: how options are written, and what is said when they are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm.options import tables
from slurm.options.errors import UsageError
from slurm.options.getopt import parse
from slurm.options.option import Option

SBATCH = tables.rows("sbatch")


def pairs(argv: list[str], command: str = "sbatch", permute: bool = False) -> list[tuple[str, str | None]]:
    given_options, _ = parse(argv, tables.rows(command), permute=permute)
    return [(one.option.name, one.text) for one in given_options]


@pytest.mark.parametrize("argv", [["-N1"], ["-N", "1"], ["--nodes=1"], ["--nodes", "1"]])
def test_a_value_may_be_attached_or_follow(argv: list[str]) -> None:
    assert pairs(argv) == [("nodes", "1")]


def test_the_beginning_of_a_long_name_is_enough_when_nothing_else_begins_so() -> None:
    assert pairs(["--part", "gpu", "--ntasks-per-n=2"]) == [("partition", "gpu"), ("ntasks-per-node", "2")]


def test_spellings_that_only_scripts_know_are_understood() -> None:
    assert pairs(["--tasks-per-node=4", "--cluster", "all"]) == [("ntasks-per-node", "4"), ("clusters", "all")]
    assert pairs(["--tasks-per-node", "4"], "srun") == [("ntasks-per-node", "4")]


@pytest.mark.parametrize(("command", "word", "name"), [
    ("sbatch", "--tasks=2", "ntasks-per-node"), ("srun", "--tasks-p=2", "ntasks-per-node"), ("squeue", "--nodes=cn01", "nodelist"),
    ("squeue", "--users=alice", "user"), ("squeue", "--partitions=debug", "partition"), ("squeue", "--accounts=a", "account"),
    ("sbatch", "--nodes=2", "nodes"), ("scancel", "--cluster=c", "clusters")])
def test_other_spellings_may_be_shortened_as_others(command: str, word: str, name: str) -> None:
    assert pairs([word], command)[0][0] == name


def test_letters_cluster_until_one_takes_a_value() -> None:
    assert pairs(["-HvN2"]) == [("hold", None), ("verbose", None), ("nodes", "2")]


def test_a_value_may_begin_with_a_dash() -> None:
    assert pairs(["-n", "-1", "--nice", "-c", "2"]) == [("ntasks", "-1"), ("nice", "100"), ("cpus-per-task", "2")]


def test_an_optional_value_counts_only_when_attached() -> None:
    assert parse(["--exclusive", "user"], SBATCH)[1] == ["user"]
    assert pairs(["--exclusive=user"]) == [("exclusive", "user")]
    assert pairs(["-k", "--no-kill=off"]) == [("no-kill", "on"), ("no-kill", "off")]


def test_parsing_stops_at_the_script_and_leaves_its_arguments_alone() -> None:
    found, rest = parse(["-N1", "job.sh", "-N2", "--bogus"], SBATCH)
    assert len(found) == 1
    assert rest == ["job.sh", "-N2", "--bogus"]


def test_two_dashes_end_the_options() -> None:
    assert parse(["-N1", "--", "-N2"], SBATCH)[1] == ["-N2"]


def test_options_behind_other_words_are_found_where_the_command_permutes() -> None:
    found, rest = parse(["12", "-v", "13"], tables.rows("scancel"), permute=True)
    assert [one.option.name for one in found] == ["verbose"]
    assert rest == ["12", "13"]


def test_a_whole_name_wins_over_longer_ones() -> None:
    assert pairs(["--time=5", "--mem=1G"]) == [("time", "5"), ("mem", "1G")]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--bogus=1"], "unrecognized option '--bogus=1'"),
        (["--ntasks-per-x"], "unrecognized option '--ntasks-per-x'"),
        (["--comm"], "option '--comment' requires an argument"),
        (["--mail=x"], "option '--mail' is ambiguous; possibilities: '--mail-type' '--mail-user'"),
        (["-1"], "invalid option -- '1'"),
        (["-H1"], "invalid option -- '1'"),
        (["-N"], "option requires an argument -- 'N'"),
        (["--time"], "option '--time' requires an argument"),
        (["--tim"], "option '--tim' is ambiguous; possibilities: '--time' '--time-min'"),
        (["--hold=3"], "option '--hold' doesn't allow an argument"),
        (["--=3"], "unrecognized option '--=3'"),
    ],
)  # fmt: skip
def test_a_wrong_option_gets_the_sentence_of_getopt(argv: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv, SBATCH)
    assert caught.value.message == sentence


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("--partion=gpu", "did you mean --partition=gpu?"),
        ("----ntasks-per-node=8", "did you mean --ntasks-per-node=8?"),
        ("--job_name=x", "did you mean --job-name=x?"),
    ],
)
def test_an_unknown_option_gets_the_nearest_one_proposed(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse([word], SBATCH)
    assert list(caught.value.hints) == [hint]


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
with_value = st.sampled_from([option for option in SBATCH if option.takes_argument])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(with_value, texts, st.integers(0, 3)), max_size=6), st.lists(texts, max_size=3))
def test_however_options_are_spelled_the_same_is_read(chosen: list[tuple[Option, str, int]], rest: list[str]) -> None:
    argv: list[str] = []
    for option, text, style in chosen:
        if style == 0:
            argv.append(f"--{option.name}={text}")
        elif style == 1 or not option.short:
            argv += [f"--{option.name}", text]
        elif style == 2:
            argv.append(f"-{option.short}{text}")
        else:
            argv += [f"-{option.short}", text]
    found, left = parse([*argv, "--", *rest], SBATCH)
    assert [(one.option, one.text) for one in found] == [(option, text) for option, text, _ in chosen]
    assert left == rest


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(texts, texts.map(lambda t: "-" + t), texts.map(lambda t: "--" + t)), max_size=5), st.booleans())
def test_any_words_are_either_read_or_refused_with_a_sentence(argv: list[str], permute: bool) -> None:
    try:
        found, rest = parse(argv, SBATCH, permute=permute)
    except UsageError as error:
        assert error.message
    else:
        assert len(found) <= sum(len(word) for word in argv)
        assert len(rest) <= len(argv)
