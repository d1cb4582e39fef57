"""A module's syntax tree as the frozen commands run it: no annotations, no docstrings, light modules for heavy ones, patterns compiled,
named tuples written out.

What a module does stays what it was: tests run both ways. Not here: which modules are frozen (`build`).
"""

from __future__ import annotations

import ast
import re
from typing import TypeVar

LIGHT = "slurm.commands.frozen.light"
REPLACED = {
    **{name: f"{LIGHT}.{name}" for name in ("contextlib", "json", "re", "signal", "socket", "types", "typing")},
    "bisect": "_bisect", "collections.abc": "_collections_abc", "struct": "_struct",
}
"""Module of the standard library → what stands in for it: one of ours, or the part of it that is written in C or loaded anyway."""
_FOR_TYPES = ("typing", "collections.abc", "types")
"""Modules of which most names are used in annotations alone; those are not imported at all."""
RECORDS = "slurm.model.accounting"
TWIN = f"{LIGHT}.records"
"""The records of accounting without msgspec, made of the same source for those that only read them."""
READING_RECORDS = frozenset((
    TWIN, "slurm.client.accounting", "slurm.commands.past_jobs", "slurm.commands.past_jobs_report", "slurm.commands.seff",
    "slurm.commands.usage_report",
    "slurm.render.accounting_entry", "slurm.render.accounting_json", "slurm.render.accounting_usage", "slurm.render.accounting_values",
    "slurm.render.efficiency", "slurm.render.efficiency_text", "slurm.render.usage_report"))
"""Modules that get the twin and a light msgspec.

What a command passes from one of them to another is of one kind only: `build` has it start with all or none.
"""
FOR_RECORDS = {**REPLACED, "msgspec": f"{LIGHT}.msgspec", RECORDS: TWIN}
_OF_ANNOTATIONS = "slurm.model.bounds"
_CONVERTED = "JobState"

_Body = TypeVar("_Body", ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def replaced(name: str) -> dict[str, str]:
    """What stands in for which module in the module `name`: for nothing in one that itself stands in for a real one, and so imports that
    one by its name."""
    if name in READING_RECORDS:
        return FOR_RECORDS
    return {} if name.startswith(f"{LIGHT}.") else REPLACED


def rewritten(tree: ast.Module, name: str = "") -> ast.Module:
    """The tree of the module `name` to compile, with the line numbers of its source."""
    records = _Records(tree) if name == TWIN else None
    changed = _Rewriter(replaced(name), records).visit(tree)
    used = {node.id for node in ast.walk(changed) if isinstance(node, ast.Name)}
    changed.body = [kept for statement in changed.body if (kept := _needed(statement, used)) is not None]
    return ast.fix_missing_locations(changed)  # type: ignore[no-any-return]


def _needed(statement: ast.stmt, used: set[str]) -> ast.stmt | None:
    """An import without the names that nothing uses any more."""
    if not isinstance(statement, ast.ImportFrom) or statement.module not in {*_FOR_TYPES, *(REPLACED[name] for name in _FOR_TYPES),
            _OF_ANNOTATIONS}:
        return statement
    statement.names = [name for name in statement.names if (name.asname or name.name) in used]
    return statement if statement.names else None


class _Rewriter(ast.NodeTransformer):
    def __init__(self, replaced: dict[str, str], records: _Records | None) -> None:
        self._replaced = replaced
        self._records = records

    def visit_Module(self, node: ast.Module) -> ast.Module:
        return self._undocumented(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        return self._undocumented(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        node.returns = None
        return self._undocumented(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if node.value is None:
            return None
        self.generic_visit(node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        if any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases):
            node.body = _written_out(node)
        if self._records is not None and node.name in self._records.names:
            self._records.write_out(node)
        return self._undocumented(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        if self._records is not None and isinstance(node.value, ast.Subscript):
            return None  # an alias of a type
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        if node.module == "__future__":
            return None
        if node.module in self._replaced:
            node.module = self._replaced[node.module]
        return node

    def visit_Import(self, node: ast.Import) -> ast.Import:
        for name in node.names:
            if name.name in self._replaced:
                name.asname = name.asname or name.name
                name.name = self._replaced[name.name]
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        function = node.func
        if self._replaced and isinstance(function, ast.Attribute) and function.attr == "compile" and isinstance(function.value, ast.Name):
            return _compiled(node) if function.value.id == "re" else node
        return node

    def _undocumented(self, node: _Body) -> _Body:
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            del node.body[0]
        self.generic_visit(node)
        if not node.body and not isinstance(node, ast.Module):
            node.body.append(ast.Pass())
        return node


def _written_out(node: ast.ClassDef) -> list[ast.stmt]:
    """The body of a named tuple with `_fields` and a `__new__` of its own instead of annotated names."""
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    names = [each.target.id for each in fields if isinstance(each.target, ast.Name)]
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg("_cls"), *map(ast.arg, names)], kwonlyargs=[], kw_defaults=[],
        defaults=[each.value for each in fields if each.value is not None])
    made = ast.parse(f"def __new__(): return tuple.__new__(_cls, ({''.join(f'{name}, ' for name in names)}))").body[0]
    assert isinstance(made, ast.FunctionDef)
    made.args = arguments
    head = [*ast.parse(f"__slots__ = ()\n_fields = {tuple(names)!r}").body, made]
    for statement in head:
        for each in ast.walk(statement):
            ast.copy_location(each, node)
    return [*head, *(each for each in node.body if each not in fields)]


class _Records:
    """The msgspec structs of a module, written out as classes of `light.msgspec`: their fields in order, and how the values of some are
    read."""

    def __init__(self, tree: ast.Module) -> None:
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        self.names = {node.name for node in classes if any(ast.unparse(base) == "msgspec.Struct" for base in node.bases)}
        self._aliases = {
            target.id: node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
            for target in node.targets if isinstance(target, ast.Name)}

    def write_out(self, node: ast.ClassDef) -> None:
        """Give a class `_fields` and `_kinds`; what stands behind its name in parentheses but the base is for msgspec."""
        node.keywords = []
        fields = [(each.target.id, each.annotation) for each in node.body if isinstance(each, ast.AnnAssign)
            and isinstance(each.target, ast.Name)]
        kinds = {name: kind for name, annotation in fields if (kind := self._kind(annotation)) is not None}
        shown = "".join(f"{name!r}: ({how!r}, {what}), " for name, (how, what) in kinds.items())
        head = ast.parse(f"_fields = {tuple(name for name, _ in fields)!r}\n_kinds = {{{shown}}}").body
        for statement in head:
            for each in ast.walk(statement):
                ast.copy_location(each, node)
        node.body += head

    def _kind(self, annotation: ast.expr) -> tuple[str, str] | None:
        """How a value is read that is no plain JSON: one, a list, or a dict of a struct or of a state; None where it is plain."""
        if isinstance(annotation, ast.BinOp):
            return self._kind(annotation.left) or self._kind(annotation.right)
        if isinstance(annotation, ast.Name):
            if annotation.id in self._aliases:
                return self._kind(self._aliases[annotation.id])
            return ("one", annotation.id) if annotation.id in self.names or annotation.id == _CONVERTED else None
        if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
            parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
            of = self._kind(parts[0] if annotation.value.id in ("list", "Annotated") else parts[-1])
            return of if of is None or annotation.value.id == "Annotated" else (annotation.value.id, of[1])
        return None


def _compiled(node: ast.Call) -> ast.Call:
    """A pattern that stands in the source as the code that `re` compiles it to; this Python's own, as all in a frozen file is."""
    if node.keywords or not all(isinstance(one, ast.Constant) or _is_flag(one) for one in node.args):
        return node
    pattern = ast.literal_eval(node.args[0])
    flags = int(getattr(re, node.args[1].attr)) if len(node.args) > 1 and isinstance(node.args[1], ast.Attribute) else 0
    parsed = re._parser.parse(pattern, flags)  # type: ignore[attr-defined]
    code = re._compiler._code(parsed, flags)  # type: ignore[attr-defined]
    names = parsed.state.groupdict
    shown = [None] * parsed.state.groups
    for name, place in names.items():
        shown[place] = name
    text = (f"__import__('_sre').compile({pattern!r}, {flags | parsed.state.flags}, {list(map(int, code))}, {parsed.state.groups - 1}, "
            f"{names!r}, {tuple(shown)!r})")
    made = ast.parse(text, mode="eval").body
    for each in ast.walk(made):
        ast.copy_location(each, node)
    assert isinstance(made, ast.Call)
    return made


def _is_flag(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"
