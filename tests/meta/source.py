"""The source tree as data for the tests beside it: modules, their syntax trees, and whom they import. No rules live here."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


class Module(NamedTuple):
    """One file under src/slurm, with its dotted name and its room (the first folder below slurm, empty for the front door)."""

    name: str
    room: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def where(self) -> str:
        """The path relative to the repository root, for messages."""
        return str(self.path.relative_to(ROOT))


class Import(NamedTuple):
    """One name imported by one module, absolute and dotted, and whether the statement runs when the module is loaded."""

    module: Module
    target: str
    line: int
    at_load: bool


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, sorted by name."""
    found = []
    for path in sorted((SRC / "slurm").rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        room = parts[1] if len(parts) > 2 else ""
        text = path.read_text(encoding="utf-8")
        found.append(Module(name, room, path, text, ast.parse(text, str(path))))
    return tuple(found)


@cache
def module_names() -> frozenset[str]:
    """The dotted names of all our modules, to tell an imported module from an imported attribute."""
    return frozenset(module.name for module in modules())


@cache
def imports(module: Module) -> tuple[Import, ...]:
    """All imports of a module; `from a import b` yields `a.b` where that is a module of ours, else `a`."""
    return tuple(_imports(module))


def _imports(module: Module) -> Iterator[Import]:
    for node, at_load in _statements(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, at_load)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for target in dict.fromkeys(_targets(base, node)):
                yield Import(module, target, node.lineno, at_load)


def named_by(module: Module) -> set[str]:
    """The other modules that one imports, in functions too; the package itself, which opens the SDK, left out."""
    return {_module_of(found.target) for found in imports(module)} - {"", "slurm", module.name}


def _module_of(target: str) -> str:
    while target and target not in module_names():
        target = target.rpartition(".")[0]
    return target


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_stdlib(target: str) -> bool:
    """Whether a dotted name belongs to Python's own library."""
    return target.split(".")[0] in sys.stdlib_module_names


def _statements(tree: ast.AST) -> Iterator[tuple[ast.stmt, bool]]:
    """Every statement below a tree, and whether it runs when the module is loaded."""
    left: list[tuple[ast.AST, bool]] = [(tree, True)]
    while left:
        node, at_load = left.pop()
        inside = at_load and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            for child in getattr(node, block, ()) if not isinstance(node, ast.Lambda | ast.IfExp) else ():
                if isinstance(child, ast.stmt):
                    yield child, inside
                left.append((child, inside))


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _targets(base: str, node: ast.ImportFrom) -> Iterator[str]:
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield inner if inner in module_names() else base
