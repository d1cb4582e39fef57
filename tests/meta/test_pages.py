"""No code block of the documentation escapes the tests: what kind it is decides how it is checked, and an exemption has a reason."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from slurm.config.config import load
from slurm.config.slurmdbd import load_slurmdbd
from slurm.model.errors import SlurmError
from tests import pages
from tests.pages import Block

BLOCKS = [block for page in pages.PAGES for block in pages.blocks(page)]
RUN = frozenset({"python", "console"})
READ = frozenset({"toml", "json", "ini"})
SHOWN = frozenset({"text", "mermaid"})


def _of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def test_every_block_is_of_a_kind_that_is_run_read_or_only_shown() -> None:
    wrong = [f"{block.where}: {block.language or 'no language'}" for block in BLOCKS
             if block.language not in RUN | READ | SHOWN and not (block.language in ("bash", "sh") and block.title)]
    assert not wrong, "see tests/pages.py for the kinds of blocks; a bash block is a file with a title, commands are console blocks:\n" + "\n".join(wrong)


def test_a_block_is_exempt_only_for_a_reason_that_counts() -> None:
    wrong = [f"{block.where}: {block.reason}" for block in BLOCKS if block.reason and block.reason not in pages.REASONS and not _tested(block.reason)]
    assert not wrong, f"valid reasons: {sorted(pages.REASONS)}\n" + "\n".join(wrong)


@pytest.mark.parametrize("block", [block for block in _of("python", "bash", "sh") if block.title], ids=lambda block: block.where)
def test_a_file_on_a_page_is_used_there(block: Block) -> None:
    others = "\n".join(other.text for other in BLOCKS if other.page == block.page and other != block and other.language in RUN)
    name = Path(block.title)
    assert block.reason or re.search(rf"{re.escape(block.title)}|\b(from|import) {name.stem}\b", others), f"{block.where}: {block.title} is neither run nor imported"


def _tested(reason: str) -> bool:
    words = reason.split(" ")
    return words[:2] == ["run", "by"] and words[2].startswith("tests/") and (pages.ROOT / words[2]).is_file()


def test_commands_do_not_hide_in_blocks_that_are_only_shown() -> None:
    assert not [block.where for block in _of("text") if re.search(r"^\$ ", block.text, re.MULTILINE)]


def test_a_block_with_a_title_is_a_file_and_no_console() -> None:
    assert not [block.where for block in _of("console") if block.title], "a titled block is written and not run"


def test_every_mark_of_an_exemption_stands_above_a_block() -> None:
    for page in pages.PAGES:
        marks = len(re.findall("<!-- *(?:not )?run", page.read_text(encoding="utf-8")))
        assert marks == sum(1 for block in pages.blocks(page) if block.reason or block.needs), page


@pytest.mark.parametrize("block", _of("python"), ids=lambda block: block.where)
def test_python_can_be_parsed_and_says_what_it_prints(block: Block) -> None:
    tree = ast.parse(block.text, block.where)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"]
    inside_tasks = [node for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function) if node in calls]
    if not block.title and len(calls) > len(inside_tasks):
        assert pages.printed(block.text), f"{block.where}: it prints, and no `# prints` says what"


def test_toml_and_json_can_be_read() -> None:
    for block in _of("toml", "json"):
        assert (tomllib if block.language == "toml" else json).loads(block.text), block.where


@pytest.mark.parametrize("block", _of("ini"), ids=lambda block: block.where)
def test_a_configuration_is_one_that_the_daemons_take(block: Block, tmp_path: Path) -> None:
    assert block.title in ("slurm.conf", "slurmdbd.conf"), "others are not checked so far"
    conf = tmp_path / block.title
    conf.write_text(block.text)
    try:
        found = load(str(conf)) if block.title == "slurm.conf" else load_slurmdbd(str(conf))
    except SlurmError as error:
        pytest.fail("\n".join([block.where, *error.lines()]))
    assert found.cluster_name if block.title == "slurm.conf" else not found.warnings


def test_make_clients_installs_what_a_block_needs() -> None:
    recipe = "".join((pages.ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "Makefile"))
    assert not {block.where for block in BLOCKS if block.needs and not re.search(rf"[\"']{block.needs}\b", recipe)}


def test_pip_is_asked_for_extras_that_exist() -> None:
    project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page in pages.PAGES:
        for extras in re.findall(rf"pip install [^`\n]*(?:{project['name']}|\.)\[([\w,]+)\]", page.read_text(encoding="utf-8")):
            assert set(extras.split(",")) <= project["optional-dependencies"].keys(), page
