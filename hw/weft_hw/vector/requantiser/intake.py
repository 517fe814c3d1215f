"""Takes a command, checks it, and offers it to the three agents of the vector engine.

::

    command -> slot, s0: factors of a walk of rows -> s1: product -> range -> task to all three

The walks are checked one after the other with a single multiplier: accumulators, output, bias,
scale, residual. The first that leaves its memory is reported, with its last row. Nothing has been
read or written by then.

Latency: command taken in cycle t, task offered in t + 7 (t + 2 if a field is illegal).
Throughput: one command at a time; the next is taken in the cycle after all agents took this one.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...isa import CommandWord, Status, VectorCommand, VectorOutput
from .task import VectorTask, parameter_beats, unit_bits

__all__ = ["VectorIntake"]


class VectorIntake(wiring.Component):
    """Commands to checked tasks.

    A zero ``m`` or ``n`` or an unknown output mode is ILLEGAL_FIELD. The opcode is not looked at.

    Members
    -------
    command : In(stream.Signature(CommandWord))
    hold : In(1)
        No command is taken.
    drain, parameters, residual : Out(stream.Signature(VectorTask))
        The same task to each agent; the payload stays for a cycle after it was taken. The second
        is offered only if the command needs bias or scale, the third only if it needs residuals,
        and both only if the checks held.
    free : Out(1)
        Nothing is inside.
    """

    def __init__(self, config):
        self.tile = config.tile
        tasks = stream.Signature(VectorTask(config.tile))
        super().__init__({
            "command": In(stream.Signature(CommandWord)),
            "hold": In(1),
            "drain": Out(tasks), "parameters": Out(tasks), "residual": Out(tasks),
            "free": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        column_bits, row_bits = ceil_log2(tile.array_cols), ceil_log2(tile.row_bytes)
        acc_bits, pad_bits = ceil_log2(tile.accumulator_rows), ceil_log2(tile.scratchpad_rows)
        beat_bits, bits = ceil_log2(parameter_beats(tile)), unit_bits(tile)
        word = self.command.payload
        incoming = data.View(VectorCommand, word.bits[:VectorCommand.as_shape().size])

        slot = Signal(VectorCommand)
        index, m_less_one, n_less_one, empty = Signal(32), Signal(16), Signal(16), Signal()
        status = Signal(Status)
        fault_row = Signal(32)      # last row of the walk that failed, or of the last looked at
        known, int32, use_residual = Signal(), Signal(), Signal()
        blocks_less_one = n_less_one[column_bits:]
        # 4 n - 1 bytes, whole rows
        parameter_rows_less_one = Cat(Const(3, 2), n_less_one)[row_bits:]
        out_rows_less_one = Mux(int32, Cat(Const(-1, beat_bits), blocks_less_one), blocks_less_one)
        m.d.comb += [
            int32.eq(slot.output == VectorOutput.INT32),
            known.eq(int32 | (slot.output == VectorOutput.INT8)),
            use_residual.eq(slot.use_residual & ~int32),
        ]

        # --- first row, steps x stride, further rows of each walk; then whether it walks
        # accumulators, and whether it counts int8 units
        walks = [
            (1, slot.acc_row, blocks_less_one, slot.acc_stride, m_less_one, 1, 0),
            (1, slot.out_row, m_less_one, slot.out_stride, out_rows_less_one, 0, ~int32),
            (slot.use_bias, slot.bias_row, Const(0, 16), Const(0, 16), parameter_rows_less_one,
             0, 0),
            (~int32, slot.scale_row, Const(0, 16), Const(0, 16), parameter_rows_less_one, 0, 0),
            (use_residual, slot.residual_row, m_less_one, slot.residual_stride, blocks_less_one,
             0, 1),
        ]
        step = Signal(range(len(walks) + 1))
        columns = list(zip(*walks, strict=True))
        used, first, more, accumulators, units = (
            Array(columns[column])[step] for column in (0, 1, 4, 5, 6))
        # the multiplier has its factors from registers; the first walk's come with the command
        s0_steps, s0_stride = Signal(16), Signal(16)
        next_steps, next_stride = (Array(columns[column][1:])[step] for column in (2, 3))
        s1_valid, s1_accumulators, s1_units = Signal(), Signal(), Signal()
        s1_product, s1_rest = Signal(32), Signal(33)

        # --- s1: the last row
        last, total = Signal(34), Signal(34)
        m.d.comb += [
            total.eq(s1_product + s1_rest),
            last.eq(Mux(s1_units, total >> bits, total) if bits else total),
        ]
        beyond = Mux(s1_accumulators, last[acc_bits:] != 0, last[pad_bits:] != 0)

        agents = (("drain", Const(1, 1)),
                  ("parameters", (status == Status.OK) & (slot.use_bias | ~int32)),
                  ("residual", (status == Status.OK) & use_residual))
        waiting = {name: Signal(name=f"{name}_waiting") for name, _ in agents}
        left = Signal(len(agents))
        with m.FSM():
            with m.State("FREE"):
                # for a command
                m.d.comb += [self.free.eq(1), self.command.ready.eq(~self.hold)]
                m.d.sync += [
                    slot.eq(incoming), index.eq(word.index),
                    m_less_one.eq(incoming.m - 1), n_less_one.eq(incoming.n - 1),
                    empty.eq((incoming.m == 0) | (incoming.n == 0)),
                    status.eq(Status.OK), step.eq(0),
                    s0_steps.eq((incoming.n - 1)[column_bits:16]),
                    s0_stride.eq(incoming.acc_stride),
                ]
                with m.If(self.command.valid & self.command.ready):
                    m.next = "CHECK"
            with m.State("CHECK"):
                # for the last walk to be checked
                m.d.sync += [
                    step.eq(step + 1),
                    s1_valid.eq(used & (step != len(walks))), s1_accumulators.eq(accumulators),
                    s1_units.eq(units),
                    s0_steps.eq(next_steps), s0_stride.eq(next_stride),
                    s1_product.eq(s0_steps * s0_stride), s1_rest.eq(first + more),
                ]
                with m.If(status == Status.OK):
                    m.d.sync += fault_row.eq(last[:32])
                    with m.If(s1_valid & beyond):
                        m.d.sync += status.eq(Status.LOCAL_RANGE)
                with m.If(empty | ~known):
                    m.d.sync += status.eq(Status.ILLEGAL_FIELD)
                with m.If(empty | ~known | (step == len(walks))):
                    m.d.sync += s1_valid.eq(0)
                    m.d.sync += [flag.eq(1) for flag in waiting.values()]
                    m.next = "OFFER"
            with m.State("OFFER"):
                # for the agents to take it
                for name, needed in agents:
                    port = getattr(self, name)
                    m.d.comb += port.valid.eq(waiting[name] & needed)
                    with m.If(port.ready | ~needed):
                        m.d.sync += waiting[name].eq(0)
                m.d.comb += left.eq(Cat(waiting[name] & needed & ~getattr(self, name).ready
                                        for name, needed in agents))
                with m.If(left == 0):
                    m.next = "FREE"

        task = Signal(VectorTask(tile))
        m.d.comb += [
            task.index.eq(index), task.signal.eq(slot.header.signal),
            task.status.eq(status),
            task.fault_row.eq(Mux(status == Status.LOCAL_RANGE, fault_row, 0)),
            task.m_less_one.eq(m_less_one), task.blocks_less_one.eq(blocks_less_one),
            task.tail_less_one.eq(n_less_one[:column_bits]),
            task.parameter_rows_less_one.eq(parameter_rows_less_one[:pad_bits]),
            task.acc_row.eq(slot.acc_row[:acc_bits]),
            task.acc_stride.eq(slot.acc_stride[:acc_bits]),
            task.out_row.eq(Mux(int32, slot.out_row << bits, slot.out_row)),
            task.out_stride.eq(Mux(int32, slot.out_stride << bits, slot.out_stride)),
            task.bias_row.eq(slot.bias_row[:pad_bits]),
            task.scale_row.eq(slot.scale_row[:pad_bits]),
            task.residual_row.eq(slot.residual_row), task.residual_stride.eq(slot.residual_stride),
            task.zero_point.eq(slot.zero_point),
            task.clamp_min.eq(slot.clamp_min), task.clamp_max.eq(slot.clamp_max),
            task.int32.eq(int32), task.use_bias.eq(slot.use_bias),
            task.use_residual.eq(use_residual),
            *(getattr(self, name).payload.eq(task) for name, _ in agents),
        ]
        return m
