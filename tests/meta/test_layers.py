"""Who may import whom, and what the pure rooms may not touch: the table of the design, checked on every import statement."""

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.meta.source import Import, imports, modules, named_by

# Lowest first. Rooms on one line are strangers to each other.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"model"}),
    frozenset({"notation"}),
    frozenset({"core", "options", "config", "wire"}),
    frozenset({"sched", "journal"}),
    frozenset({"net", "store", "render", "daemon"}),
    frozenset({"client", "plugins"}),
    frozenset({"slurmctld", "slurmd", "sackd", "slurmdbd", "slurmrestd"}),
    frozenset({"sdk", "sim"}),
    frozenset({"mcp"}),
    frozenset({"commands"}),
    frozenset({"manual"}),
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}

# The front door opens the SDK; testing builds whole clusters. Nobody may lean on either.
ABOVE_ALL = frozenset({"", "testing"})

PURE = frozenset({"model", "notation", "options", "core", "journal", "sched", "wire", "render"})
IMPURE_MODULES = frozenset(
    {"time", "random", "os", "socket", "asyncio", "threading", "subprocess", "logging", "pathlib", "tempfile", "secrets", "uuid"}
)


def _room(target: str) -> str:
    return target.split(".")[1] if "." in target else ""


def _ours(imported: Import) -> bool:
    return imported.target.split(".")[0] == "slurm"


def _forbidden(imported: Import) -> str | None:
    importer, room = imported.module.room, _room(imported.target)
    if importer in ABOVE_ALL or room == importer:
        return None
    if room in ABOVE_ALL:
        # `from slurm import __version__` needs nothing but the front door itself.
        return None if room == "" else f"{importer} may not import {room}"
    if room not in RANK or importer not in RANK:
        return f"{importer} or {room} has no place in the table"
    if RANK[room] == RANK[importer]:
        return f"{importer} and {room} are strangers"
    return f"{importer} may not import {room}, which stands above it" if RANK[room] > RANK[importer] else None


def test_every_room_has_its_place_in_the_table() -> None:
    rooms = {module.room for module in modules()} - ABOVE_ALL
    assert rooms <= set(RANK), f"rooms the design does not know: {sorted(rooms - set(RANK))}"


def test_a_room_imports_only_rooms_below_it() -> None:
    broken = [
        f"{module.where}:{found.line}: {why}"
        for module in modules()
        for found in imports(module)
        if _ours(found) and (why := _forbidden(found)) is not None
    ]
    assert not broken, "\n".join(broken)


def test_pure_rooms_touch_neither_clock_nor_chance_nor_machine() -> None:
    broken = [
        f"{module.where}:{found.line}: {module.room} is pure and may not import {found.target}"
        for module in modules()
        if module.room in PURE
        for found in imports(module)
        if found.target.split(".")[0] in IMPURE_MODULES
    ]
    assert not broken, "\n".join(broken)


def test_the_front_door_loads_nothing_of_ours() -> None:
    front = next(module for module in modules() if module.name == "slurm")
    eager = [found.target for found in imports(front) if found.at_load and _ours(found)]
    assert not eager, f"slurm/__init__.py imports {eager} when loaded; import them in __getattr__"


def test_no_import_hides_behind_type_checking() -> None:
    broken = [module.where for module in modules() if "TYPE_CHECKING" in module.text]
    assert not broken, f"these import for types only; put the type in a lower room: {broken}"


def test_no_module_imports_itself_round_a_corner() -> None:
    """Imports in functions count too."""
    try:
        TopologicalSorter({module.name: named_by(module) for module in modules()}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_an_import_in_a_function_of_the_sdk_has_its_reason_beside_it() -> None:
    bare = [
        f"{module.where}:{found.line}: say why {found.target} is not imported at the top"
        for module in modules()
        if module.room in ("sdk", "mcp")
        for found in imports(module)
        if _ours(found) and not found.at_load and "#" not in module.text.splitlines()[found.line - 1]
    ]
    assert not bare, "\n".join(bare)
