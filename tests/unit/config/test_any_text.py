"""Whatever a file holds, it is a configuration or a ConfigError, never another failure."""

from hypothesis import given, settings
from hypothesis import strategies as st

from slurm.config import schema
from slurm.config.config import parse
from slurm.model.errors import ConfigError

KEYS = sorted({row.name for name in ("slurm.conf", "NodeName", "PartitionName", "NodeSet", "DownNodes", "gres.conf") for row in schema.section(name)})
VALUES = st.one_of(
    st.sampled_from(["", "ALL", "DEFAULT", "n[1-3]", "n[3-", "YES", "-1", "1_0", "٣", "UNLIMITED", "gpu:2", "gpu:a:1,x", "0-3", "7-00:00", "2G", '"a b"', '"', "\\"]),
    st.text(max_size=8))
PAIRS = st.tuples(st.sampled_from(KEYS), VALUES).map("=".join)
LINES = st.lists(st.one_of(st.lists(PAIRS, max_size=4).map(" ".join), st.text(max_size=20)), max_size=6).map("\n".join)
HEAD = "SlurmctldHost=h\nGresTypes=gpu\nNodeName=a1 Gres=gpu:1\nPartitionName=p Nodes=ALL\n"


@settings(max_examples=150, deadline=None)
@given(LINES, LINES)
def test_any_text_is_a_configuration_or_a_config_error(text: str, gres: str) -> None:
    try:
        conf = parse(HEAD + text, gres=gres)
    except ConfigError as error:
        assert all(line for line in error.lines())
    else:
        assert conf.nodes_by_name["a1"].cpus >= 1
        assert all(conf.devices(node.name) is not None for node in conf.nodes)


@given(st.sampled_from(KEYS), st.sampled_from(["", "x"]))
def test_a_key_is_read_the_same_in_any_case(key: str, end: str) -> None:
    for name in schema.SECTIONS:
        rows = schema.section(name)
        assert rows.get(key.upper() + end) is rows.get(key.lower() + end)
