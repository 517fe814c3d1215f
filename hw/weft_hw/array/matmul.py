"""Matmul engine: loader, streamer, array and collector, and the life of a command in them.

::

    scratchpad --w--> WeightLoader ----> shadow weights
    scratchpad --a--> ActivationStreamer --> SystolicArray --> sums --> accumulator
                                     token --- S*R + C cycles -> Collector --> row

The three agents walk the same command's loops, each at its own pace; up to ``_COMMANDS`` commands
are inside at once, so that one follows the other without a bubble. After a fault or under ``abort``
the engine QUITs: the array drains, commands inside are answered (the faulty one with its error, the
rest ABORTED), and it starts clean.

Timing, from the first weight read: the closed form is ``window_cycles``. Throughput: a block
(nb, kb) every max(M, R) cycles; where a column of blocks adds to rows of the one before it less
than ``Accumulator.update_distance`` cycles after them, it starts so many after their last row.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..axi.queue import Queue
from ..formats.table import OPERANDS
from ..isa import MatmulCommand, Status
from ..memory.accumulator import Accumulator
from ..memory.port import READ_LATENCY, ReadPort
from ..streams.level import count
from ..streams.link import link
from ..tile.engine import Done, EnginePort
from .collector import Collector, CollectParams
from .decode import is_float
from .operand import decodes
from .scale_port import read_scales
from .streamer import ActivationStreamer, StreamParams
from .systolic import SystolicArray, array_latency
from .weight_loader import WeightLoader, WeightParams

__all__ = ["MatmulEngine"]

#: Commands inside the engine at once: one loading, one streaming, two in flight through the array.
_COMMANDS = 4


class MatmulEngine(wiring.Component):
    """Runs ``MatmulCommand``.

    Members
    -------
    engine : In(EnginePort)
    activations, weights, scales : Out(ReadPort)
        Scratchpad reads; ``scales`` only with mxfp8.
    update_valid, update_row, update_accumulate, update_floating, sums : Out
        To the accumulator; ``update_floating`` only if the tile has floating point.
    busy : Out(1)
        A command is inside.
    step : Out(1), stall : Out(1)
        Counters: a row of activations entered the array; a block waited for its weights.
    """

    def __init__(self, config):
        self.config = config
        tile = config.tile
        self.array = SystolicArray(tile)
        read = ReadPort(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes)
        scales = {"scales": Out(read)} if "mxfp8" in tile.formats else {}
        super().__init__({
            "engine": In(EnginePort(address_bits=config.host.address_bits)),
            "activations": Out(read), "weights": Out(read), **scales,
            "update_valid": Out(1), "update_row": Out(ceil_log2(tile.accumulator_rows)),
            "update_accumulate": Out(1),
            **({"update_floating": Out(1)} if tile.has_float else {}),
            "sums": Out(tile.array_cols * tile.column_sum_bits),
            "busy": Out(1), "step": Out(1), "stall": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.array = array = self.array
        m.submodules.loader = loader = WeightLoader(config)
        m.submodules.streamer = streamer = ActivationStreamer(config)
        m.submodules.collector = collector = Collector(config)
        tile = config.tile
        update_latency = Accumulator.update_latency(tile)
        quit_ = Signal()

        # --- data path
        m.d.comb += [
            array.activations.eq(streamer.activations), array.swap.eq(streamer.swap),
            array.weights.eq(loader.weights), array.weight_rows.eq(loader.weight_rows),
            loader.swap.eq(streamer.swap), streamer.weights_ready.eq(loader.ready_soon),
            self.sums.eq(array.sums),
            self.update_valid.eq(collector.valid), self.update_row.eq(collector.row),
            self.update_accumulate.eq(collector.accumulate),
            self.step.eq(streamer.token), self.stall.eq(streamer.waiting),
        ]
        link(m, loader.read, wiring.flipped(self.weights))
        link(m, streamer.read, wiring.flipped(self.activations))
        if tile.has_float:
            m.d.comb += [
                array.floating.eq(streamer.floating),
                self.update_floating.eq(collector.current.floating),
            ]
        # the token reaches the collector when the accumulator must begin to read
        tokens = Signal(array.latency - Accumulator.LOOKAHEAD)
        m.d.sync += tokens.eq(Cat(streamer.token, tokens))
        m.d.comb += collector.token.eq(tokens[-1])

        # --- commands: to all three agents at once
        layout = MatmulCommand.as_shape()
        command = data.View(layout, self.engine.command.payload.bits[:layout.size])
        accept = Signal()
        pending = {}
        for name, agent, layout, depth in (
            ("weights", loader, WeightParams(tile), 2),
            ("streams", streamer, StreamParams(tile), 2),
            ("collects", collector, CollectParams(tile), _COMMANDS),
        ):
            m.submodules[name] = pending[name] = queue = Queue(layout, depth=depth)
            # quitting empties the queues; the collector's are answered one by one below
            emptied = quit_ if name != "collects" else 0
            m.d.comb += [
                agent.command.valid.eq(queue.o.valid),
                agent.command.payload.eq(queue.o.payload),
                queue.o.ready.eq(agent.command.ready | emptied),
            ]
        w, a, c = (pending[name].i.payload for name in ("weights", "streams", "collects"))
        m.d.comb += [
            w.row.eq(command.w_row), w.stride.eq(command.w_stride),
            w.k.eq(command.k), w.n.eq(command.n),
            a.row.eq(command.a_row), a.stride.eq(command.a_stride),
            a.m.eq(command.m), a.k.eq(command.k), a.n.eq(command.n),
            c.index.eq(self.engine.command.payload.index), c.signal.eq(command.header.signal),
            c.row.eq(command.acc_row), c.stride.eq(command.acc_stride),
            c.m.eq(command.m), c.k.eq(command.k), c.n.eq(command.n),
            c.accumulate.eq(command.accumulate),
        ]
        if "mxfp8" in tile.formats:
            m.d.comb += [w.scaled.eq(command.scaled), a.scaled.eq(command.scaled)]
            pending |= read_scales(m, tile, command, self.scales, loader, streamer, quit_)
        if decodes(tile):
            m.d.comb += [w.format.eq(command.format), a.format.eq(command.format)]
        if tile.has_float:
            m.d.comb += c.floating.eq(is_float(tile, command.format))
        # a command that adds to rows of the one before in another order could read a row that is
        # still being written, and so could a column of blocks that adds to the column before
        block = Cat(command.acc_row, command.acc_stride, command.m, command.n)
        block_before = Signal.like(block)
        stride, distance = command.acc_stride, Accumulator.update_distance(tile)
        period = Mux(command.m < tile.array_rows, tile.array_rows, command.m)
        m.d.comb += [
            a.gap.eq(command.accumulate & (block != block_before)),
            a.column_gap.eq(command.accumulate & (stride != 0) & (stride < command.m)
                            & (stride + distance > period)),
        ]
        illegal_command = Signal()
        m.d.comb += illegal_command.eq(
            (command.m == 0) | (command.k == 0) | (command.n == 0) | ~self._has_format(command))
        inside = Signal(range(_COMMANDS + 1))
        has_room = Signal(init=1)
        answered = Signal()
        # it waits for those before it to end
        illegal = Signal()
        m.d.comb += self.engine.command.ready.eq(accept)
        count(m, inside, up=accept, down=answered, flags=[
            (self.busy, lambda commands: commands != 0),
            (has_room, lambda commands: commands != _COMMANDS)])

        # --- ends of commands
        m.submodules.dones = dones = Queue(
            Done(address_bits=config.host.address_bits), depth=_COMMANDS, front=True)
        done = dones.i
        link(m, dones.o, wiring.flipped(self.engine.done))
        m.d.comb += answered.eq(self.engine.done.valid & self.engine.done.ready)
        oldest = collector.current
        # commands may end in consecutive cycles, so each stage keeps its own
        ended = Signal(update_latency)
        ended_index = Signal(data.ArrayLayout(32, update_latency))
        ended_signal = Signal(data.ArrayLayout(16, update_latency))
        m.d.sync += [
            ended.eq(Cat(collector.finish, ended)),
            ended_index.eq(Cat(oldest.index, ended_index)),
            ended_signal.eq(Cat(oldest.signal, ended_signal)),
        ]
        m.d.comb += [
            done.valid.eq(ended[-1]),
            done.payload.index.eq(ended_index[-1]), done.payload.signal.eq(ended_signal[-1]),
        ]

        # --- faults
        status, address = Signal(Status), Signal(32)
        # what is in the array runs out
        enough = array.latency + READ_LATENCY + decodes(tile) + update_latency + 3
        drained = Signal(range(enough + 1))
        with m.FSM():
            with m.State("RUN"):
                m.d.comb += [
                    accept.eq(self.engine.command.valid & has_room & ~illegal_command
                              & ~self.engine.abort
                              & Cat(queue.i.ready for queue in pending.values()).all()),
                    *(queue.i.valid.eq(accept & (command.scaled if "scales" in name else 1))
                      for name, queue in pending.items()),
                    illegal.eq(self.engine.command.valid & illegal_command & ~self.busy),
                ]
                m.d.sync += drained.eq(0)
                with m.If(accept):
                    m.d.sync += block_before.eq(block)
                with m.If(collector.fault):
                    m.d.sync += [status.eq(Status.LOCAL_RANGE), address.eq(collector.fault_row)]
                    m.next = "QUIT"
                with m.Elif(streamer.fault):
                    m.d.sync += [status.eq(Status.LOCAL_RANGE), address.eq(streamer.fault_row)]
                    m.next = "QUIT"
                with m.Elif(loader.fault & streamer.waiting & ~streamer.swapping):
                    # all blocks before the faulty one have started
                    m.d.sync += [status.eq(Status.LOCAL_RANGE), address.eq(loader.fault_row)]
                    m.next = "QUIT"
                with m.Elif(self.engine.abort & self.busy):
                    m.d.sync += [status.eq(Status.ABORTED), address.eq(0)]
                    m.next = "QUIT"
                with m.Elif(illegal):
                    m.next = "REFUSE"
            with m.State("QUIT"):
                # what is in the array runs out; complete commands are answered on the way
                m.d.comb += quit_.eq(1)
                m.d.sync += drained.eq(drained + 1)
                with m.If(drained.all() | (drained == enough)):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                # the oldest command left is the one at fault
                m.d.comb += [quit_.eq(1), collector.quit.eq(1)]
                with m.If(collector.active):
                    # there is room for the ends of all that is inside
                    m.d.comb += [
                        done.valid.eq(1),
                        done.payload.index.eq(oldest.index), done.payload.status.eq(status),
                        done.payload.address.eq(address),
                    ]
                    m.d.sync += [status.eq(Status.ABORTED), address.eq(0)]
                with m.Else():
                    m.next = "RUN"
            with m.State("REFUSE"):
                # nothing else is inside
                m.d.comb += [
                    done.valid.eq(1), done.payload.index.eq(self.engine.command.payload.index),
                    done.payload.status.eq(
                        Mux(self.engine.abort, Status.ABORTED, Status.ILLEGAL_FIELD)),
                    accept.eq(1),
                ]
                m.next = "RUN"
        m.d.comb += [loader.quit.eq(quit_), streamer.quit.eq(quit_)]
        return m

    def _has_format(self, command):
        """The command's format, and block scales if it has any, are built in."""
        tile = self.config.tile
        built_in = Cat(command.format == OPERANDS[name]
                       for name in tile.formats if name in OPERANDS).any()
        fp8 = Cat(command.format == OPERANDS[name] for name in ("fp8e4m3", "fp8e5m2")).any()
        return built_in & (~command.scaled | (fp8 if "mxfp8" in tile.formats else 0))


def window_cycles(tile, *, m, k, n):
    """Cycles from first operand read to last accumulator write of a command that waits for nobody.

    ``R`` to load the first weights, ``blocks`` of ``max(M, R)`` (the last of ``M``), ``S * R + C``
    through the array, and the fixed pipeline: the weight read, its decoding and its buffer, the
    activation read (its decoding goes beside the last weight row), the accumulator's write.
    """
    rows, cols = tile.array_rows, tile.array_cols
    blocks = -(-n // cols) * -(-k // rows)
    edge = READ_LATENCY + decodes(tile)
    fixed = edge + 1 + READ_LATENCY + (Accumulator.update_latency(tile) - Accumulator.LOOKAHEAD)
    return rows + (blocks - 1) * max(m, rows) + m + array_latency(tile) + fixed - 1
