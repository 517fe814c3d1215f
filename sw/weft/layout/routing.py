"""Routing by qrouter, a maze router: every net or an exact list of those it could not finish."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from weft.synth.errors import FlowError
from weft.synth.tools import run

from .def_file import Route, def_text, read_routes, with_supply
from .design import Design
from .floorplan import Floorplan
from .lef import Lef

__all__ = ["Routed", "route"]

#: No via stands on a via: the metal between two is smaller than the process allows (metal 2 area
#: below 0.2 µm², 450 violations in the processing element with stacks).
_VIA_STACK = 1

# The last argument of standard_route leaves out the clean-up, which routes every net once more:
# more than half of the time, and in the router of nano it left a pin open that is joined without.

_SCRIPT = """\
verbose 0
read_lef {lef}
layers {layers}
via stack {stack}
vdd vdd
gnd gnd
{obstructions}
read_def {unrouted}
qrouter::standard_route {routed} false true
quit
"""


@dataclass(frozen=True, slots=True)
class Routed:
    """``layout`` is the DEF with wires and supply; ``failed`` are nets left open."""

    layout: Path
    routes: dict[str, Route]
    failed: tuple[str, ...]
    seconds: float


def failed_nets(log: str) -> tuple[str, ...] | None:
    """Nets in the router's last list of failures; None if it did not come to an end."""
    end = log.rfind("Final:")
    if end < 0:
        return None
    if "No failed routes" in log[end : end + 40]:
        return ()
    names = re.search(r"List of failed nets follows:\n(.*?)\n-{5}", log[end:], re.DOTALL)
    return tuple(names.group(1).split()) if names else None


def route(
    design: Design, lef: Lef, lef_path: Path, plan: Floorplan, folder: Path, layers: int
) -> Routed:
    """Routes on the lowest ``layers`` layers.

    Raises
    ------
    ValueError
        if the library has not that many layers, or fewer than 3 are asked for.
    FlowError
        if the router stops before its end.
    """
    if not 3 <= layers <= len(lef.layers):
        raise ValueError(f"layers must be from 3 to {len(lef.layers)}, not {layers}")
    folder.mkdir(parents=True, exist_ok=True)
    unrouted, routed = folder / "unrouted.def", folder / "routed.def"
    unrouted.write_text(def_text(design, lef, plan))
    routed.unlink(missing_ok=True)
    obstructions = "\n".join(
        f"obstruction {left:.2f} {bottom:.2f} {right:.2f} {top:.2f} {layer}"
        for layer, left, bottom, right, top in plan.obstructions(lef)
        if layer in list(lef.layers)[:layers]
    )
    (folder / "route.tcl").write_text(
        _SCRIPT.format(
            lef=lef_path, layers=layers, stack=_VIA_STACK, obstructions=obstructions,
            unrouted=unrouted.name, routed=routed.name,
        )
    )  # fmt: skip
    start = time.monotonic()
    what = f"qrouter, routing {design.top},"
    log = run(["qrouter", "-nog", "-s", "route.tcl"], folder / "route.log", what, folder)
    seconds = time.monotonic() - start
    failed = failed_nets(log)
    if failed is None or not routed.is_file():
        raise FlowError(f"{what} came to no end (log: {folder / 'route.log'})")
    layout = folder / "layout.def"
    layout.write_text(with_supply(routed.read_text(), plan, lef))
    return Routed(layout, read_routes(layout), failed, seconds)
