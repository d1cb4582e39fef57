"""Lines of a configuration file: comments, continuations, quotes, Include, unknown keys."""

import pytest

from slurm.config.config import parse
from slurm.config.reader import Problem, Record, logical_lines, read
from slurm.model.errors import ConfigError


def records(text: str, kind: str = "slurm.conf") -> list[Record]:
    problems: list[Problem] = []
    found = read(text, "slurm.conf", kind, problems)
    assert problems == []
    return found


def entries(text: str) -> list[tuple[str, str]]:
    return [(entry.row.name, entry.text) for record in records(text) for entry in record.entries]


def problem(text: str) -> list[str]:
    problems: list[Problem] = []
    read(text, "slurm.conf", "slurm.conf", problems)
    assert len(problems) == 1
    return problems[0].lines()


def test_a_comment_ends_a_line_unless_the_sign_is_escaped() -> None:
    assert entries("# all\nClusterName=a # rest\nMailProg=/bin/a\\#b # c") == [("ClusterName", "a"), ("MailProg", "/bin/a#b")]


def test_a_backslash_at_the_end_joins_the_next_line() -> None:
    text = "NodeName=n1 \\\n  CPUs=4 \\\n  RealMemory=10\nKillWait=5\n"
    assert entries(text) == [("NodeName", "n1"), ("CPUs", "4"), ("RealMemory", "10"), ("KillWait", "5")]
    assert [number for number, _ in logical_lines(text)] == [1, 4]


def test_keys_are_read_in_any_case() -> None:
    assert entries("CLUSTERNAME=a\nnodename=n1 cpus=2") == [("ClusterName", "a"), ("NodeName", "n1"), ("CPUs", "2")]


def test_older_names_of_keys_are_read_as_the_present_ones() -> None:
    assert entries("ControlMachine=head\nNodeName=n Procs=2 Feature=a\nPartitionName=p Shared=NO") == [
        ("SlurmctldHost", "head"), ("NodeName", "n"), ("CPUs", "2"), ("Features", "a"), ("PartitionName", "p"), ("OverSubscribe", "NO")]


def test_quotes_hold_blanks_together() -> None:
    assert entries('NodeName=n1 Reason="bad dimm in slot 2" State=DOWN')[1:] == [("Reason", "bad dimm in slot 2"), ("State", "DOWN")]


def test_several_keys_may_share_a_line_and_blanks_may_stand_around_the_sign() -> None:
    assert entries("ClusterName = a   KillWait= 5") == [("ClusterName", "a"), ("KillWait", "5")]


def test_a_blank_value_is_empty_where_the_next_word_is_a_key() -> None:
    assert entries("PartitionName=p Nodes= State=UP") == [("PartitionName", "p"), ("Nodes", ""), ("State", "UP")]


def test_values_may_contain_the_sign() -> None:
    assert entries("SchedulerParameters=bf_window=1440,defer") == [("SchedulerParameters", "bf_window=1440,defer")]


def test_an_entry_remembers_its_file_and_line() -> None:
    found = records("\n\nKillWait=5\n")[0].entries[0]
    assert str(found.origin) == "slurm.conf:3"
    assert found.origin.text == "KillWait=5"


def test_include_reads_the_other_file_in_place_with_the_cluster_name_in_it() -> None:
    def opener(name: str) -> tuple[str, str]:
        return f"/etc/slurm/{name}", "KillWait=9\n"

    problems: list[Problem] = []
    found = read("ClusterName=lab\nInclude %c.conf\nMinJobAge=1\n", "slurm.conf", "slurm.conf", problems, opener)
    assert problems == []
    assert [(str(r.origin), r.entries[0].text) for r in found] == [("slurm.conf:1", "lab"), ("/etc/slurm/lab.conf:1", "9"), ("slurm.conf:3", "1")]


def test_a_file_that_includes_itself_is_refused() -> None:
    problems: list[Problem] = []
    read("Include a.conf", "a.conf", "slurm.conf", problems, lambda name: (name, "include a.conf"))
    assert "nested more than 16 deep" in problems[0].message


def test_an_included_file_that_cannot_be_read_is_named() -> None:
    def opener(name: str) -> tuple[str, str]:
        raise FileNotFoundError(2, "No such file or directory", name)

    problems: list[Problem] = []
    read("Include nodes.conf", "slurm.conf", "slurm.conf", problems, opener)
    assert problems[0].lines()[0] == "slurm.conf:1: included file nodes.conf cannot be read: No such file or directory"


def test_an_unknown_key_names_the_nearest_one() -> None:
    assert problem("KillWait=1\nSlurmctldPrt=6817") == [
        "slurm.conf:2: Parsing error at unrecognized key: SlurmctldPrt", "    SlurmctldPrt=6817", "  did you mean SlurmctldPort?"]


def test_a_key_of_a_node_line_on_a_line_of_its_own_is_told_where_it_belongs() -> None:
    assert problem("CoresPerSocket=8")[-1] == "  CoresPerSocket belongs on a line that begins with NodeName="


@pytest.mark.parametrize(("text", "said"), [
    ("KillWait", 'Parsing error at "KillWait": KEY=VALUE expected'),
    ("NodeName=n1 Reason=bad dimm", 'Parsing error at "dimm": KEY=VALUE expected'),
    ("=5", 'Parsing error at "=": KEY=VALUE expected'),
    ('NodeName=n1 Reason="bad dimm', 'the quote that opens in Reason="bad is not closed'),
])
def test_a_malformed_line_says_where_it_stops_making_sense(text: str, said: str) -> None:
    assert said in problem(text)[0]


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("Foo=1\nKillWait=soon\nNodeName=node1 CPU=2\nPartitionName=p Nodes=node2\n", "/etc/slurm/slurm.conf")
    text = "\n".join(caught.value.lines())
    for each in (":1: Parsing error at unrecognized key: Foo", ":2: KillWait=soon is no value for KillWait",
                 ":3: Parsing error at unrecognized key: CPU", "did you mean CPUs?", ":4: Invalid node names in partition p: node2",
                 "did you mean node1?", "SlurmctldHost is not configured"):
        assert each in text
