"""A task's own view of /tmp and its like: a mount namespace in which its job's folders lie over them (`slurmd.private_folders`)."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.slurmd.stepd.container import mounting

_RECURSIVE, _PRIVATE = 0x4000, 1 << 18


def enter(pairs: Sequence[Sequence[str]], *, shared: bool) -> None:
    """Have the calling process, which is root, see each second folder of the pairs where the first one is. OSError.

    `shared`: what the host mounts later is seen too. All are taken before the first is put: one may lie below another.
    """
    trees = [(over, mounting.taken(path, mounting.NO_SETUID | mounting.NO_DEVICES, below=False)) for over, path in pairs]
    mounting.unshare(mounting.NEW_MOUNTS)
    if shared:
        mounting.keep_to_ourselves()
    else:
        mounting.mount("none", "/", "", _RECURSIVE | _PRIVATE, "")
    for over, tree in trees:
        mounting.put(tree, over)
