"""#SBATCH lines: where they count and how they are split into words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm.model.errors import SlurmError
from slurm.options.directives import read
from slurm.options.errors import OptionError
from slurm.options.resolve import resolve


def words(line: str) -> list[str]:
    return [word for directive in read(f"#!/bin/sh\n{line}\n").given for word in directive.words]


def test_lines_count_up_to_the_first_command() -> None:
    found = read("#!/bin/bash\n\n# a remark\n#SBATCH -N1\n   \n#SBATCH -n2 -c3\necho hi\n#SBATCH -N4\n")
    assert [(directive.line, directive.words) for directive in found.given] == [(4, ["-N1"]), (6, ["-n2", "-c3"])]
    assert found.late == [8]


@pytest.mark.parametrize("line", ["# SBATCH -N1", "##SBATCH -N1", " #SBATCH -N1", "#sbatch -N1"])
def test_what_only_looks_like_a_directive_is_a_remark(line: str) -> None:
    assert words(line) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("#SBATCH\t--job-name=a\t-N 2", ["--job-name=a", "-N", "2"]),
        ("#SBATCH --job-name='a b'", ["--job-name=a b"]),
        ('#SBATCH --comment="it\'s # here" -N2', ["--comment=it's # here", "-N2"]),
        ("#SBATCH --time=5 # five minutes", ["--time=5"]),
        ("#SBATCH --comment=a#b", ["--comment=a"]),
        ("#SBATCH --job-name=a\\ b", ["--job-name=a b"]),
        ("#SBATCH", []),
        ('#SBATCH --comment=""', ["--comment="]),
    ],
)
def test_words_end_at_blanks_outside_quotes_and_remarks_begin_with_a_hash(line: str, expected: list[str]) -> None:
    assert words(line) == expected


def test_an_open_quote_is_named_with_its_line() -> None:
    with pytest.raises(OptionError, match="Unmatched `'` in job.sh: line 2"):
        read("#!/bin/sh\n#SBATCH -J 'a\n", "job.sh")


def test_a_hetjob_line_begins_the_next_component() -> None:
    found = read("#!/bin/sh\n#SBATCH -N1\n#SBATCH hetjob\n#SBATCH -N2\n#SBATCH packjob -N3\nsrun x\n", "job.sh")
    assert [[directive.words for directive in part] for part in found.parts] == [[["-N1"]], [["-N2"]], [["-N3"]]]
    assert found.packjob and not read("#!/bin/sh\n#SBATCH hetjob\n").packjob


def test_pbs_lines_are_counted_for_the_warning() -> None:
    assert read("#!/bin/sh\n#PBS -l nodes=2\n#SBATCH -N1\n").pbs == [2]


lines = st.lists(st.one_of(st.text(max_size=20), st.text(max_size=20).map(lambda text: f"#SBATCH {text}")), max_size=6)


@settings(max_examples=100, deadline=None)
@given(lines)
def test_any_script_is_either_read_or_refused_with_a_sentence(script: list[str]) -> None:
    try:
        resolved = resolve("sbatch", [], {}, script="\n".join(["#!/bin/sh", *script]))
    except SlurmError as error:
        assert error.message
    else:
        assert set(resolved.origins) >= set(resolved.request)


def test_only_line_breaks_end_a_line() -> None:
    assert words("#SBATCH --comment=a\x0cb -N2") == ["--comment=a\x0cb", "-N2"]


@pytest.mark.parametrize(("line", "expected"), [
    ("#SBATCH--time=5", ["--time=5"]), ("#SBATCH-t 5", ["-t", "5"]), ("#SBATCH-t5 -J x", ["-t5", "-J", "x"]), ("#SBATCH#-t 5", []),
    ("#SBATCHtest", ["test"]), ("#SBATCH --mem=2G#mb", ["--mem=2G"]), ("#SBATCH --job-name=a#b", ["--job-name=a"]),
    ('#SBATCH --job-name="a#b"', ["--job-name=a#b"]), (r"#SBATCH --job-name=a\#b", ["--job-name=a#b"]), ("#SBATCH -t 5 # five", ["-t", "5"]),
])
def test_what_follows_the_seven_characters_is_read_up_to_a_bare_hash(line: str, expected: list[str]) -> None:
    assert words(line) == expected


def test_what_is_no_option_behind_them_is_refused_in_slurms_words() -> None:
    with pytest.raises(OptionError, match="Invalid directive found in batch script: test"):
        resolve("sbatch", [], {}, script="#!/bin/sh\n#SBATCHtest\n")
    with pytest.raises(OptionError) as refused:
        read("#!/bin/sh\n#SBATCH:-t 5\n", "job.sh")
    assert (refused.value.message, refused.value.exit_code) == ("job.sh: line 2: Unexpected `:` in [:-t 5]", 1)
