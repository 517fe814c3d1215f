"""From a command of the load or store engine to a walk.

Rows that follow each other without a gap on both sides (``memory_stride == row_bytes``,
``row_bytes`` a multiple of a scratchpad row, ``local_stride == row_bytes / scratchpad row``) become
one row of ``rows * row_bytes`` bytes: fewer and longer requests, same result. Not so where each row
counts alone: with padding, in a gather, in a fill. The product takes two cycles, so that no path is
longer than a processing element's; nor does one lead from the walk's taker to the front end.

Latency: command taken in cycle t, walk offered in t + 2; walk taken in t, next command taken in
t + 1. Throughput: a command every 3 cycles (its 64 bytes take longer to come, and its data much
longer).
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import CommandHeader, CommandWord, FillCommand, GatherCommand, LoadCommand, Opcode
from .walk import COUNT_BITS, TENSOR_FIELDS, Walk

__all__ = ["Decode"]

_TENSOR_FIELDS = (*TENSOR_FIELDS, "fill", "gather", "value")


class _Fields(data.StructLayout):
    """What s0 keeps of a command: the walk without merging rows, ``illegal`` whatever its endpoint.
    ``gapless``: its rows follow each other on both sides. Of a fill ``row_bytes_less_one`` counts
    scratchpad rows.
    """

    def __init__(self, walk):
        super().__init__({
            **walk.members, "row_bytes_less_one": unsigned(COUNT_BITS), "gapless": unsigned(1)})


class Decode(wiring.Component):
    """Commands to walks. A size of zero or an endpoint that the chip has not makes the walk
    illegal, and so does a padded image of height or width zero.

    Members
    -------
    command : In(stream.Signature(CommandWord))
        LOAD, GATHER or FILL if ``load``, LOAD only if the tile lacks ``tensor_loads``; otherwise
        STORE. Where there is one kind the opcode is not looked at
    walk : Out(stream.Signature(Walk))
        a tensor walk if the tile has ``tensor_loads``
    """

    def __init__(self, config, *, load=False):
        self.config = config
        self.load = load
        self.tensor = tensor = load and config.tile.tensor_loads
        walk = Walk(config, tensor=tensor)
        super().__init__({
            "command": In(stream.Signature(CommandWord)),
            "walk": Out(stream.Signature(walk)),
        })

    def elaborate(self, platform):
        m = Module()
        walk = self.walk.payload
        flit_bits = ceil_log2(self.config.flit_bytes)
        layout = _Fields(walk.shape())

        # s0: the fields; s1: the product's halves
        fields, s0 = Signal(layout), Signal(layout)
        s0_valid, s1_valid = Signal(), Signal()
        s1_linear, s1_illegal = Signal(), Signal()
        self._fields(m, fields)
        if self.tensor:
            self._tensor_fields(m, fields)
        elif self.load:
            self._plain_load(m, fields)

        # rows * row_flits - 1 = (rows - 1) * (row_flits - 1) + (rows - 1) + (row_flits - 1), the
        # product's factor (rows - 1) in two halves
        half = COUNT_BITS // 2
        row_flits_less_one = s0.row_bytes_less_one[flit_bits:]
        s1_low = Signal(half + len(row_flits_less_one))
        s1_high = Signal(half + len(row_flits_less_one))
        s1_rest = Signal(COUNT_BITS + 1)
        run_flits_less_one = Signal(2 * COUNT_BITS - flit_bits)
        ones = Const((1 << flit_bits) - 1, flit_bits)
        alone = self._alone(s0) if self.tensor else Const(0)

        m.d.comb += [
            self.command.ready.eq(~s0_valid),
            self.walk.valid.eq(s1_valid),
            run_flits_less_one.eq(s1_low + (s1_high << half) + s1_rest),
            walk.address.eq(s0.address),
            walk.stride.eq(s0.stride),
            walk.row_bytes_less_one.eq(
                Mux(s1_linear, Cat(ones, run_flits_less_one), s0.row_bytes_less_one)),
            walk.rows_less_one.eq(Mux(s1_linear, 0, s0.rows_less_one)),
            walk.local_row.eq(s0.local_row),
            walk.local_stride.eq(s0.local_stride),
            walk.endpoint.eq(s0.endpoint),
            walk.illegal.eq(s1_illegal),
        ]
        if self.tensor:
            names = _TENSOR_FIELDS + (("transpose",) if self.config.tile.transpose else ())
            m.d.comb += [walk[name].eq(s0[name]) for name in names]
            with m.If(s0.fill):
                m.d.comb += walk.row_bytes_less_one.eq(Cat(ones, s0.row_bytes_less_one))

        m.d.sync += s1_valid.eq(s0_valid)
        with m.If(s0_valid & ~s1_valid):
            m.d.sync += [
                s1_low.eq(s0.rows_less_one[:half] * row_flits_less_one),
                s1_high.eq(s0.rows_less_one[half:] * row_flits_less_one),
                s1_rest.eq(s0.rows_less_one + row_flits_less_one),
                s1_linear.eq(s0.gapless & ~alone),
                s1_illegal.eq(
                    s0.illegal | (s0.endpoint >= self.config.mesh.memory_endpoints)),
            ]
        with m.If(self.walk.valid & self.walk.ready):
            m.d.sync += [s0_valid.eq(0), s1_valid.eq(0)]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [s0_valid.eq(1), s0.eq(fields)]
        return m

    def _command(self, layout):
        return data.View(layout, self.command.payload.bits[:layout.as_shape().size])

    def _fields(self, m, fields):
        """A STORE or LOAD: they begin with the same fields."""
        command = self._command(LoadCommand)
        below = len(fields.address) - 1
        flit_bits = ceil_log2(self.config.flit_bytes)
        m.d.comb += [
            fields.address.eq(
                Cat(command.memory_address[:below], command.memory_address[below:].any())),
            fields.stride.eq(command.memory_stride),
            fields.row_bytes_less_one.eq(command.row_bytes - 1),
            fields.rows_less_one.eq(command.rows - 1),
            fields.local_row.eq(command.local_row),
            fields.local_stride.eq(command.local_stride),
            fields.endpoint.eq(command.endpoint),
            fields.illegal.eq((command.row_bytes == 0) | (command.rows == 0)),
            fields.gapless.eq((command.row_bytes[:flit_bits] == 0)
                              & (command.memory_stride == command.row_bytes)
                              & (command.local_stride == command.row_bytes[flit_bits:])),
        ]

    def _plain_load(self, m, fields):
        """A LOAD that asks for more than rows at a fixed distance is illegal."""
        load = self._command(LoadCommand)
        more = ("more_1", "more_2", "more_3", "padded", "transpose")
        with m.If(Cat(load[name].any() for name in more).any()):
            m.d.comb += fields.illegal.eq(1)

    def _tensor_fields(self, m, fields):
        """What a LOAD or GATHER has beyond that, and a FILL."""
        opcode = self._command(CommandHeader).opcode
        load, fill = self._command(LoadCommand), self._command(FillCommand)
        gather = self._command(GatherCommand)
        address_bits = self.config.host.address_bits
        with m.If(opcode == Opcode.FILL):
            m.d.comb += [
                fields.fill.eq(1),
                fields.value.eq(fill.value),
                fields.row_bytes_less_one.eq(fill.columns - 1),
                fields.rows_less_one.eq(fill.rows - 1),
                fields.local_row.eq(fill.row),
                fields.local_stride.eq(fill.stride),
                fields.endpoint.eq(0),
                fields.illegal.eq((fill.columns == 0) | (fill.rows == 0)),
            ]
        with m.Elif(opcode == Opcode.GATHER):
            m.d.comb += [
                fields.gather.eq(1),
                fields.value.eq(gather.index_row),
                fields.memory_stride_1.eq(gather.limit),
            ]
        with m.Else():
            m.d.comb += [fields[name].eq(load[name]) for name in TENSOR_FIELDS]
            m.d.comb += fields.value.eq(load.pad_value)
            with m.If(load.padded):
                # addresses are modulo the address space
                m.d.comb += fields.address.eq(load.memory_address[:address_bits])
            with m.If(load.padded & ((load.height == 0) | (load.width == 0))):
                m.d.comb += fields.illegal.eq(1)
            self._transpose_fields(m, fields, load)

    def _transpose_fields(self, m, fields, load):
        """Of a LOAD that transposes; where that is not built in, it is illegal."""
        legal = Const(0)
        if self.config.tile.transpose:
            m.d.comb += fields.transpose.eq(load.transpose)
            loops = load.more_1.any() | load.more_2.any() | load.more_3.any()
            parts = Mux(load.transpose == 1, 0, Mux(load.transpose == 2, 1, 3))
            legal = ~load.padded & ~loops & ((load.row_bytes[:2] & parts) == 0)
        with m.If((load.transpose != 0) & ~legal):
            m.d.comb += fields.illegal.eq(1)

    def _alone(self, s0):
        """Whether rows do not merge."""
        transposes = s0.transpose.any() if self.config.tile.transpose else Const(0)
        return s0.padded | s0.fill | s0.gather | transposes
