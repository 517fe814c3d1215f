"""From a LOAD or STORE command to a walk.

Rows that follow each other without a gap on both sides (``memory_stride == row_bytes``,
``row_bytes`` a multiple of a scratchpad row, ``local_stride == row_bytes / scratchpad row``) become
one row of ``rows * row_bytes`` bytes: fewer and longer requests, same result. The product takes two
cycles, so that no path is longer than a processing element's.

Latency: command taken in cycle t, walk offered in t + 2. Throughput: a command every 2 cycles (its
64 bytes take longer to come, and its data much longer).
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import CommandWord, LoadCommand
from .pattern import COUNT_BITS, LOCAL_BITS, LOCAL_STRIDE_BITS, STRIDE_BITS, Walk

__all__ = ["Decode"]


class Decode(wiring.Component):
    """Commands to walks. A size of zero or an endpoint that the chip has not makes the walk
    illegal.

    Members
    -------
    command : In(stream.Signature(CommandWord))
        LOAD or STORE; the opcode is not looked at
    walk : Out(stream.Signature(Walk))
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "command": In(stream.Signature(CommandWord)),
            "walk": Out(stream.Signature(Walk(address_bits=config.host.address_bits))),
        })

    def elaborate(self, platform):
        m = Module()
        walk = self.walk.payload
        flit_bits = ceil_log2(self.config.flit_bytes)
        # a LOAD and a STORE have the same fields
        size = LoadCommand.as_shape().size
        command = data.View(LoadCommand, self.command.payload.bits[:size])

        # s0: the fields; s1: the product's halves
        s0_valid, s1_valid = Signal(), Signal()
        s0_address = Signal.like(walk.address)
        s0_stride = Signal(STRIDE_BITS)
        s0_row_bytes_less_one, s0_rows_less_one = Signal(COUNT_BITS), Signal(COUNT_BITS)
        s0_local_row, s0_local_stride = Signal(LOCAL_BITS), Signal(LOCAL_STRIDE_BITS)
        s0_endpoint = Signal(4)
        s0_zero = Signal()
        s1_linear, s1_illegal = Signal(), Signal()

        # rows * row_flits - 1 = (rows - 1) * row_flits + (row_flits - 1), the factor (rows - 1) in
        # two halves
        half = COUNT_BITS // 2
        row_flits_less_one = s0_row_bytes_less_one[flit_bits:]
        row_flits = Signal(COUNT_BITS - flit_bits + 1)
        row_bytes = Signal(COUNT_BITS + 1)
        s1_low = Signal(half + len(row_flits))
        s1_high = Signal(half + len(row_flits))
        run_flits_less_one = Signal(2 * COUNT_BITS - flit_bits)
        run_bytes_less_one = Cat(Const((1 << flit_bits) - 1, flit_bits), run_flits_less_one)
        whole_flits = s0_row_bytes_less_one[:flit_bits].all()

        m.d.comb += [
            self.command.ready.eq(~s0_valid | (s1_valid & self.walk.ready)),
            self.walk.valid.eq(s1_valid),
            row_flits.eq(row_flits_less_one + 1),
            row_bytes.eq(s0_row_bytes_less_one + 1),
            run_flits_less_one.eq(s1_low + (s1_high << half)),
            walk.address.eq(s0_address),
            walk.stride.eq(s0_stride),
            walk.row_bytes_less_one.eq(Mux(s1_linear, run_bytes_less_one, s0_row_bytes_less_one)),
            walk.rows_less_one.eq(Mux(s1_linear, 0, s0_rows_less_one)),
            walk.local_row.eq(s0_local_row),
            walk.local_stride.eq(s0_local_stride),
            walk.endpoint.eq(s0_endpoint),
            walk.illegal.eq(s1_illegal),
        ]
        m.d.sync += s1_valid.eq(s0_valid)
        with m.If(s0_valid & ~s1_valid):
            m.d.sync += [
                s1_low.eq(s0_rows_less_one[:half] * row_flits + row_flits_less_one),
                s1_high.eq(s0_rows_less_one[half:] * row_flits),
                s1_linear.eq(whole_flits & (s0_stride == row_bytes)
                             & (s0_local_stride == row_flits)),
                s1_illegal.eq(s0_zero | (s0_endpoint >= self.config.mesh.memory_endpoints)),
            ]
        with m.If(self.command.ready):
            m.d.sync += [s0_valid.eq(self.command.valid), s1_valid.eq(0)]
        with m.If(self.command.ready & self.command.valid):
            m.d.sync += [
                s0_address.eq(Cat(command.memory_address[:len(walk.address) - 1],
                                  command.memory_address[len(walk.address) - 1:].any())),
                s0_stride.eq(command.memory_stride),
                s0_row_bytes_less_one.eq(command.row_bytes - 1),
                s0_rows_less_one.eq(command.rows - 1),
                s0_zero.eq((command.row_bytes == 0) | (command.rows == 0)),
                s0_local_row.eq(command.local_row),
                s0_local_stride.eq(command.local_stride),
                s0_endpoint.eq(command.endpoint),
            ]
        return m
