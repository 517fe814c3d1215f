"""The systolic array: R rows with the skews that turn row vectors into wavefronts and back.

A vector of R activations given in one cycle enters row r after r cycles; the C sums of that vector
leave together ``LATENCY = R + C`` cycles after it was given. Weight rows are given last row first,
one a ``weight_valid`` cycle, R of them a block; row r's shadow shifts in the last R - r of them, so
that all shadows are in place after the R-th.

Exchange rule (what makes consecutive blocks bubble-free): ``swap`` is given with (or one cycle
before) the last thing that still uses the old weights: activations given in later cycles use the
new ones. ``swap`` may be given in the cycle after the R-th weight row or later, and the first
weight row of the next block in the cycle of ``swap`` or later. So a new block can start every
max(M, R) cycles.

Source: the double-buffered weight-stationary dataflow of Jouppi et al., ISCA 2017, "In-Datacenter
Performance Analysis of a Tensor Processing Unit", section 2, with exchange by wavefront instead of
by stall.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..shared import share
from .row import ArrayRow
from .skew import Skew

__all__ = ["SystolicArray"]


class SystolicArray(wiring.Component):
    """R x C int8 processing elements.

    Latency: ``latency`` = R + C cycles from activations to sums. Throughput: R x C MACs per cycle.

    Members
    -------
    activations : In(8 * R)
        Vector of R operands, lane r in bits 8r+7:8r. Always taken; meaningless vectors give
        meaningless sums.
    swap : In(1)
        Later vectors use the shadow weights.
    weights : In(8 * C), weight_valid : In(1), weight_rows : In(R)
        A row of weights; ``weight_rows[r]`` says that row r's shadow shifts. For the j-th row of a
        block: r <= j.
    sums : Out(sum_bits * C)
        Column sums.
    """

    def __init__(self, tile):
        self.tile = tile
        rows, cols, bits = tile.array_rows, tile.array_cols, tile.column_sum_bits
        self.latency = rows + cols
        super().__init__({
            "activations": In(8 * rows), "swap": In(1),
            "weights": In(8 * cols), "weight_rows": In(rows),
            "sums": Out(bits * cols),
        })

    def elaborate(self, platform):
        m = Module()
        rows, cols, bits = self.tile.array_rows, self.tile.array_cols, self.tile.column_sum_bits
        m.submodules.activation_skew = activation_skew = Skew(bits=8, delays=range(rows))
        m.submodules.weight_skew = weight_skew = Skew(bits=8, delays=range(cols))
        m.submodules.sum_skew = sum_skew = Skew(bits=bits, delays=reversed(range(cols)))
        # swap travels down beside the activations
        swap = Signal(rows - 1, reset_less=True)
        m.d.comb += [
            activation_skew.i.eq(self.activations),
            weight_skew.i.eq(self.weights),
            self.sums.eq(sum_skew.o),
        ]
        m.d.sync += swap.eq((swap << 1) | self.swap)

        weights, sums = weight_skew.o, 0
        for r in range(rows):
            row = ArrayRow(cols=cols, sum_bits=bits)
            m.submodules[f"row_{r}"] = share(row)
            m.d.comb += [
                row.activation_i.eq(activation_skew.o.word_select(r, 8).as_signed()),
                row.swap_i.eq(self.swap if r == 0 else swap[r - 1]),
                row.load_i.eq(self.weight_rows[r]),
                row.weights_i.eq(weights),
                row.sums_i.eq(sums),
            ]
            weights, sums = row.weights_o, row.sums_o
        m.d.comb += sum_skew.i.eq(sums)
        return m
