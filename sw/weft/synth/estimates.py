"""What a netlist without layout cannot know: wires and the clock tree. Estimated, always kept apart
from what is measured.

Measured: ``weft layout`` on OSU018 (180 nm), two blocks; figures in ``layout/README.md``. Every
band holds what was measured.

* ``CAPACITANCE_FF_PER_UM`` 0.2 (0.09 to 0.3): capacitance per length of a minimum-pitch wire, which
  hardly changes from node to node. Source: R. Ho, K. Mai, M. Horowitz, "The future of wires",
  Proceedings of the IEEE 89(4), 2001; assumed to hold to 2 nm. Measured: 0.123 (processing
  element), 0.141 (router), 0.098 and 0.136 at other densities, 0.092 of a clock's net.
* ``PITCHES_PER_SINK`` 2 (1.5 to 5): wire per driven pin in cell pitches. Assumed, from average wire
  lengths of 2 to 3 gate pitches in blocks of a thousand gates under Rent's rule with p = 0.6
  (W. Donath, IEEE Transactions on Circuits and Systems 26(4), 1979). Measured: 2.01 to 2.14
  (processing element), 4.71 (router, whose multiplexers join all ports).
* The product of the two values, 0.4 fF per pitch-µm and pin, lies between the processing element's
  0.26 and the router's 0.66, whose geometric mean is 0.42: the values stay.
* ``CLOCK_PITCHES_PER_SINK`` 2 (1.5 to 3.5): the same of the clock's net, which joins neighbours.
  Measured: 1.87 to 2.11 and 1.73, without a tree.
* ``UTILISATION`` 0.7 (0.6 to 0.8): cell area over placed area. Assumed, usual practice.
* ``TREE_BUFFERS`` 0.5 (0.3 to 1.0): capacitance of the buffers of a clock tree over that of its
  leaves and their wires. Assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .netlist import Netlist

__all__ = ["CORNERS", "Corner", "clock_wire_ff_per_sink", "wire_ff_per_sink"]


@dataclass(frozen=True, slots=True)
class Corner:
    """One set of assumptions."""

    capacitance_ff_per_um: float
    pitches_per_sink: float
    clock_pitches_per_sink: float
    utilisation: float
    tree_buffers: float


#: Value, low, high.
CORNERS = {
    "value": Corner(0.2, 2.0, 2.0, 0.7, 0.5),
    "low": Corner(0.09, 1.5, 1.5, 0.8, 0.3),
    "high": Corner(0.3, 5.0, 3.5, 0.6, 1.0),
}


def _ff_per_pitch(netlist: Netlist, corner: Corner) -> float:
    """Capacitance of a wire over the mean cell's pitch, fF."""
    cells = netlist.instances
    area = sum(instance.cell.area_um2 for instance in cells) / max(len(cells), 1)
    return corner.capacitance_ff_per_um * math.sqrt(area / corner.utilisation)


def wire_ff_per_sink(netlist: Netlist, corner: Corner) -> float:
    """Wire capacitance for each driven pin, fF: the mean cell's pitch times pitches times
    capacitance per length."""
    return corner.pitches_per_sink * _ff_per_pitch(netlist, corner)


def clock_wire_ff_per_sink(netlist: Netlist, corner: Corner) -> float:
    """The same for each clock pin."""
    return corner.clock_pitches_per_sink * _ff_per_pitch(netlist, corner)
