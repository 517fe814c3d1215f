"""What a netlist without layout cannot know: wires and the clock tree. Estimated, always kept apart
from what is measured.

Constants and why:

* ``CAPACITANCE_FF_PER_UM`` 0.2 (0.15 to 0.3): capacitance per length of a minimum-pitch wire hardly
changes from node to node. Source: R. Ho, K. Mai,
  M. Horowitz, "The future of wires", Proceedings of the IEEE 89(4), 2001; assumed to hold to 2 nm.
* ``PITCHES_PER_SINK`` 2 (1.5 to 3.5): wire per driven pin in cell pitches. Assumed, from average
wire lengths of 2 to 3 gate pitches in blocks of a
  thousand gates under Rent's rule with p = 0.6 (W. Donath, IEEE Transactions on Circuits and
  Systems 26(4), 1979).
* ``UTILISATION`` 0.7 (0.6 to 0.8): cell area over placed area. Assumed, usual practice.
* ``TREE_BUFFERS`` 0.5 (0.3 to 1.0): capacitance of the buffers of a clock tree over that of its
leaves and their wires. Assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .netlist import Netlist

__all__ = ["CORNERS", "Corner", "wire_ff_per_sink"]


@dataclass(frozen=True, slots=True)
class Corner:
    """One set of assumptions."""

    capacitance_ff_per_um: float
    pitches_per_sink: float
    utilisation: float
    tree_buffers: float


#: Value, low, high.
CORNERS = {
    "value": Corner(0.2, 2.0, 0.7, 0.5),
    "low": Corner(0.15, 1.5, 0.8, 0.3),
    "high": Corner(0.3, 3.5, 0.6, 1.0),
}


def wire_ff_per_sink(netlist: Netlist, corner: Corner) -> float:
    """Wire capacitance for each driven pin, fF: the mean cell's pitch times pitches times
    capacitance per length."""
    cells = netlist.instances
    area = sum(instance.cell.area_um2 for instance in cells) / max(len(cells), 1)
    pitch_um = math.sqrt(area / corner.utilisation)
    return corner.capacitance_ff_per_um * corner.pitches_per_sink * pitch_um
