"""Which libraries a command line asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .delays import typical_slew_ps
from .library import CellLibrary, load_library
from .nodes import NODES, find_nodes

__all__ = ["chosen_libraries"]

#: Transitions of an inverter in the period to work towards when the library is not a known one.
_SLEWS_IN_PERIOD = 12


def chosen_libraries(
    liberty: Sequence[Path] | None, pdk: Path | None, nodes: str | None
) -> Iterator[tuple[CellLibrary, float]]:
    """Libraries and the period (ps) to map towards: the files given, or the nodes of ``pdk``, or
    OSU018.

    Raises
    ------
    ValueError
        for both files and a folder, or an unknown node.
    LibertyError, ToolError
        for libraries that cannot be used.
    """
    if liberty and pdk:
        raise ValueError("give either --liberty or --pdk, not both")
    if liberty:
        library = load_library(liberty)
        yield library, max(_SLEWS_IN_PERIOD * typical_slew_ps(library), 1.0)
        return
    if nodes:
        for name in nodes.split(","):
            if name not in NODES:
                raise ValueError(f"node must be among {', '.join(NODES)}, not {name!r}")
            yield NODES[name].load(pdk), NODES[name].period_ps
        return
    if pdk is None:
        yield NODES["osu018"].load(None), NODES["osu018"].period_ps
        return
    for node in find_nodes(pdk):
        yield node.load(pdk), node.period_ps
