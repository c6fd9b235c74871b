"""Parents before children: the order of images, and the cycles that forbid one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MAX_CYCLES = 10


def ordered(parents: Mapping[str, Sequence[str]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the images with parents first, otherwise in the order given.

    Args:
        parents: image → the images it stands on, all of them keys too.

    Returns:
        The order, and the first cycles found: each a path that starts and ends with the same
        image. With cycles the order holds every image, but promises nothing.
    """
    order: list[str] = []
    cycles: list[tuple[str, ...]] = []
    done: set[str] = set()
    position: dict[str, int] = {}
    for image in parents:
        if image in done:
            continue
        # An explicit stack: hierarchies may be deeper than Python's own.
        path = [image]
        position[image] = 0
        todo = [iter(parents[image])]
        while path:
            parent = next(todo[-1], None)
            if parent is None:
                last = path.pop()
                todo.pop()
                del position[last]
                done.add(last)
                order.append(last)
            elif parent in position:
                if len(cycles) < MAX_CYCLES:
                    cycles.append((*path[position[parent] :], parent))
            elif parent not in done:
                position[parent] = len(path)
                path.append(parent)
                todo.append(iter(parents[parent]))
    return order, cycles
