"""How a command starts from the frozen file. The script in `scripts/` runs this code, which stands first in that file; it imports nothing
of ours.

Frozen modules that every call of a command needs are run in their order, without the import system; the others are found by it when they
are asked for.
"""

from __future__ import annotations

import gc
import marshal
import os
import sys

Sources = dict[str, tuple[str, int, int]]
"""Module → its file below the package, that file's time in ns and size."""
Places = dict[str, tuple[int, int]]
"""Module → where its code begins and ends in the frozen file, counted from the file's end."""
END = b"\nfrozen\n"
"""The last bytes of a file that was written to its end."""
MAKER = "made by "
"""What stands before the name of a source that is not run, but made the file."""
_Module = type(sys)


def start(name: str, data: bytes, package: str, sources: Sources, places: Places, orders: dict[str, list[str]]) -> None:
    """Runs the command `name` and ends the process with its status; returns before it did anything where a source is not the one that was
    frozen."""
    frozen = Frozen(memoryview(data), package, sources, places)
    order = orders.get(name, [])
    if not order or not data.endswith(END) or not all(map(frozen.is_true, [*order, *filter(_is_maker, sources)])):
        return
    gc.disable()
    made = frozen.made(order)
    for each in order:
        frozen.exec_module(made[each])
    sys.meta_path.insert(0, frozen)  # type: ignore[arg-type]
    gc.freeze()
    gc.enable()
    end(sys.modules[order[-1]].main())


def _is_maker(name: str) -> bool:
    return name.startswith(MAKER)


def end(status: int) -> None:
    """Ends the process without taking its objects apart, when there is nothing that wants to be told of its end."""
    registered = sys.modules.get("atexit")
    if "threading" in sys.modules or (registered is not None and registered._ncallbacks()):
        sys.exit(status)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(status)  # the interpreter says what could not be written
    os._exit(status & 0xFF)


class Frozen:
    """The frozen modules as a finder and loader of the import system."""

    def __init__(self, data: memoryview, package: str, sources: Sources, places: Places) -> None:
        self._data = data
        self._package = package
        self._sources = sources
        self._places = places

    def is_true(self, name: str) -> bool:
        """Whether the source of a module is the one that was frozen."""
        path, time, size = self._sources[name]
        try:
            facts = os.stat(self._package + path)
        except OSError:
            return False
        return facts.st_mtime_ns == time and facts.st_size == size

    def made(self, names: list[str]) -> dict[str, object]:
        """Modules of these names that are still empty; they can be imported, since what is run in order finds only those that were."""
        found: dict[str, object] = {name: _Module(name) for name in sorted(names)}
        sys.modules.update(found)  # type: ignore[arg-type]
        for name, module in found.items():
            parent, _, tail = name.rpartition(".")
            if parent:
                setattr(found[parent], tail, module)
        return found

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """What the import system asks for a module; None for one that is not here or whose source has changed."""
        if name not in self._places or not self.is_true(name):
            return None
        from _frozen_importlib import ModuleSpec

        return ModuleSpec(name, self, is_package=self._sources[name][0].endswith("/__init__.py"))  # type: ignore[arg-type]

    def create_module(self, spec: object) -> None:
        """The import system makes it."""

    def exec_module(self, module: object) -> None:
        """Runs a module's code in it."""
        content = module.__dict__
        name = content["__name__"]
        path = self._package + self._sources[name][0]
        content["__file__"] = path
        folder, _, file = path.rpartition("/")
        if file == "__init__.py":
            content["__path__"] = [folder]
            content["__package__"] = name
        else:
            content["__package__"] = name.rpartition(".")[0]
        begin, close = self._places[name]
        exec(marshal.loads(self._data[begin:close]), content)
