"""The systolic array: R rows with the skews that turn row vectors into wavefronts and back.

Everything moves down at S cycles a row, the latency of a sum through a processing element (S = 1
for integers only, S = 3 with floating point). A vector of R activations given in one cycle enters
row r after S * r cycles; the C sums of that vector leave together ``LATENCY = S * R + C`` cycles
after it was given. Weight rows are given last row first, one a ``weight_rows`` cycle, R of them a
block; row r's shadow shifts in the last R - r of them, (S - 1) * r cycles later, so that all
shadows are in place when the wavefront comes.

Exchange rule (what makes consecutive blocks bubble-free): ``swap`` is given with (or one cycle
before) the last thing that still uses the old weights: activations given in later cycles use the
new ones. ``swap`` may be given in the cycle after the R-th weight row or later, and the first
weight row of the next block in the cycle of ``swap`` or later. So a new block can start every
max(M, R) cycles.

Source: the double-buffered weight-stationary dataflow of Jouppi et al., ISCA 2017, "In-Datacenter
Performance Analysis of a Tensor Processing Unit", section 2, with exchange by wavefront instead of
by stall.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..shared import share
from .operand import operand_bits
from .pe import ProcessingElement
from .pe_float import FloatProcessingElement
from .row import ArrayRow
from .skew import Skew

__all__ = ["SystolicArray", "array_latency", "sum_latency"]


def sum_latency(tile) -> int:
    """Cycles that a sum takes through a row of the array."""
    element = FloatProcessingElement if tile.has_float else ProcessingElement
    return element.SUM_LATENCY


def array_latency(tile) -> int:
    """Cycles from activations to sums."""
    return sum_latency(tile) * tile.array_rows + tile.array_cols


class SystolicArray(wiring.Component):
    """R x C processing elements, for integers and floating point if the tile has any.

    Latency: ``latency`` = S * R + C cycles from activations to sums. Throughput: R x C MACs per
    cycle.

    Members
    -------
    activations : In(operand bits * R)
        Vector of R operands, lane 0 in the low bits. Always taken; meaningless vectors give
        meaningless sums.
    floating : In(1)
        They are floating-point numbers; only if the tile has any.
    swap : In(1)
        Later vectors use the shadow weights.
    weights : In(operand bits * C), weight_rows : In(R)
        A row of weights; ``weight_rows[r]`` says that row r's shadow shifts. For the j-th row of a
        block: r <= j.
    sums : Out(sum_bits * C)
        Column sums.
    """

    def __init__(self, tile):
        self.tile = tile
        rows, cols, bits = tile.array_rows, tile.array_cols, tile.column_sum_bits
        self.latency = array_latency(tile)
        super().__init__({
            "activations": In(operand_bits(tile) * rows), "swap": In(1),
            **({"floating": In(1)} if tile.has_float else {}),
            "weights": In(operand_bits(tile) * cols), "weight_rows": In(rows),
            "sums": Out(bits * cols),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        rows, cols, bits = tile.array_rows, tile.array_cols, tile.column_sum_bits
        width, pace = operand_bits(tile), sum_latency(tile)
        m.submodules.activation_skew = activation_skew = Skew(
            bits=width, delays=[pace * r for r in range(rows)])
        m.submodules.weight_skew = weight_skew = Skew(bits=width, delays=range(cols))
        m.submodules.sum_skew = sum_skew = Skew(bits=bits, delays=reversed(range(cols)))
        m.d.comb += [
            activation_skew.i.eq(self.activations),
            weight_skew.i.eq(self.weights),
            self.sums.eq(sum_skew.o),
        ]
        # travel down beside the activations
        swap = self._line(m, "swap_line", self.swap, pace * (rows - 1))
        loads = [self._line(m, f"load_line_{r}", self.weight_rows[r], (pace - 1) * r)
                 for r in range(rows)]
        if tile.has_float:
            floating = self._line(m, "float_line", self.floating, pace * (rows - 1))

        weights, sums = weight_skew.o, 0
        for r in range(rows):
            row = ArrayRow(cols=cols, sum_bits=bits, has_float=tile.has_float)
            m.submodules[f"row_{r}"] = share(row)
            m.d.comb += [
                row.activation_i.eq(activation_skew.o.word_select(r, width)),
                row.swap_i.eq(swap[pace * r]),
                row.load_i.eq(loads[r][-1]),
                row.weights_i.eq(weights),
                row.sums_i.eq(sums),
            ]
            if tile.has_float:
                m.d.comb += row.float_i.eq(floating[pace * r])
            weights, sums = row.weights_o, row.sums_o
        m.d.comb += sum_skew.i.eq(sums)
        return m

    @staticmethod
    def _line(m, name, bit, length):
        """The bit now, a cycle ago, ... ``length`` cycles ago."""
        if length == 0:
            return [bit]
        line = Signal(length, reset_less=True, name=name)
        m.d.sync += line.eq(Cat(bit, line))
        return [bit, *line]
