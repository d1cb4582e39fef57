"""Sizes, names and words of the source: a reader finds small files, short functions, docstrings, and nothing half done."""

import ast
import re

import pytest

from tests.meta.source import ROOT, functions, imports, is_stdlib, modules

FILE_LINES = 600
FUNCTION_LINES = 60
VAGUE_NAMES = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "misc"})
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
BANNER = re.compile(r"^\s*#\s*[-=#*~─]{4,}")

# Functions of other files that fail when what they were told does not hold.
CHECKERS = ("assert_", "check", "expect", "until", "wait_")

RUNTIME = frozenset({"msgspec", "uvloop", "numpy", "psutil", "setproctitle", "rich", "cloudpickle", "cryptography", "cffi", "jwt", "asyncssh", "textual", "mcp", "pydantic", "uvicorn", "starlette", "anyio", "jinja2", "markupsafe", "pynvml", "sqlalchemy", "alembic", "yaml", "slurm",
    "psycopg",  # of the extra postgresql
    "pytest"})  # which loads our plug-in itself


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the def to the end, less the docstring's; a returned dict or list counts once, because it is a table."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    last = node.body[-1]
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Dict | ast.List):
        lines -= (last.end_lineno or last.lineno) - last.lineno
    return lines


def test_no_file_is_longer_than_the_ceiling() -> None:
    files = [*modules()]
    broken = [f"{m.where}: {n} lines" for m in files if (n := m.text.count("\n")) > FILE_LINES]
    assert not broken, f"ceiling {FILE_LINES}:\n" + "\n".join(broken)


def test_no_function_is_longer_than_the_ceiling() -> None:
    broken = [
        f"{m.where}:{f.lineno}: {f.name} has {n} lines"
        for m in modules()
        for f in functions(m.tree)
        if (n := _body_lines(f)) > FUNCTION_LINES
    ]
    assert not broken, f"ceiling {FUNCTION_LINES}:\n" + "\n".join(broken)


def test_no_module_has_a_name_that_says_nothing() -> None:
    broken = [m.where for m in modules() if VAGUE_NAMES & set(m.name.split("."))]
    assert not broken, f"name these after the noun or verb inside: {broken}"


def test_every_module_says_what_lives_in_it() -> None:
    broken = [m.where for m in modules() if not (ast.get_docstring(m.tree) or "").strip()]
    assert not broken, f"no module docstring: {broken}"


def test_every_public_class_and_function_of_a_module_has_a_docstring() -> None:
    broken = [
        f"{m.where}:{node.lineno}: {node.name}"
        for m in modules()
        for node in m.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert not broken, "\n".join(broken)


def test_nothing_is_left_half_done() -> None:
    broken = [
        f"{m.where}:{number}: {line.strip()}"
        for m in modules()
        for number, line in enumerate(m.text.splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not broken, "\n".join(broken)


def test_no_banner_comments() -> None:
    broken = [f"{m.where}:{number}" for m in modules() for number, line in enumerate(m.text.splitlines(), 1) if BANNER.match(line)]
    assert not broken, "\n".join(broken)


def test_no_error_is_swallowed_whole() -> None:
    broken = []
    for m in modules():
        for node in ast.walk(m.tree):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"}
            ):
                silent = all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)
                if silent:
                    broken.append(f"{m.where}:{node.lineno}")
    assert not broken, f"catch what you expect, and say what happened: {broken}"


def test_the_package_needs_only_its_declared_dependencies() -> None:
    broken = [
        f"{m.where}:{found.line}: {found.target}"
        for m in modules()
        for found in imports(m)
        if not is_stdlib(found.target) and found.target.split(".")[0] not in RUNTIME
    ]
    assert not broken, "add to pyproject.toml and to RUNTIME here, or do without:\n" + "\n".join(broken)


@pytest.mark.parametrize("suite", ["unit", "properties", "compat", "cluster", "system", "meta"])
def test_tests_assert_and_need_no_patch(suite: str) -> None:
    broken = []
    for path in sorted((ROOT / "tests" / suite).rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if re.search(r"\bmock\.patch\b|^\s*@patch\b", path.read_text(encoding="utf-8"), re.MULTILINE):
            broken.append(f"{path.relative_to(ROOT)}: uses patch")
        broken += [
            f"{path.relative_to(ROOT)}:{f.lineno}: {f.name} asserts nothing"
            for f in functions(tree)
            if f.name.startswith("test_") and not _checks_something(f, tree)
        ]
    assert not broken, "\n".join(broken)


def _checks_something(function: ast.FunctionDef | ast.AsyncFunctionDef, tree: ast.Module) -> bool:
    """Whether a test asserts, expects an exception, waits with a deadline, or calls a function of its file that asserts."""
    asserting = {helper.name for helper in functions(tree) if any(isinstance(node, ast.Assert) for node in ast.walk(helper))}
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in asserting or name in {"raises", "warns", "fail"} or name.lstrip("_").startswith(CHECKERS):
                return True
    return False
