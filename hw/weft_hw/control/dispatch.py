"""The dispatcher: decides on each command in ring order, and sends it to its tile.

::

    infos → s0 (decode) → decide ─┬→ header             COMMAND packets
                                  ├→ moves ─┐
    beats ────────────────────────┼─────────┴→ data     their 64 bytes (of others: none)
                                  ├→ fence
                                  └→ failure

A command waits in s0 until its engine has room, fewer than ``max_in_flight`` commands are in flight
and, if it is a fence, everything earlier has ended.

Latency: 2 cycles from ``infos`` to ``header``.  Throughput: one command per 2 cycles, which is more
than the packets need.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..axi.queue import Queue
from ..config import COMMAND_BYTES
from ..isa import FenceCommand, NopCommand, Opcode, Status, engine_of
from ..noc.packet import DataFlit, Headed, NodeAddress, RequestHeader, RequestKind, RouterPort
from ..streams.link import link
from .command import CommandInfo, Failure
from .credits import Credits, EngineAddress
from .fetch import chunk_bytes
from .record import Fence

__all__ = ["CONTROL_NODE", "Dispatcher"]

#: Where the control node hangs.
CONTROL_NODE = NodeAddress.const({"x": 0, "y": 0, "port": RouterPort.NORTH})


class Dispatcher(wiring.Component):
    """Sends commands to tiles, fences to the record writer; stops at the first command that cannot
    be run.

    A queue reset resets it, when nothing is in flight: it forgets what waits and counts from index
    0 again.

    Members
    -------
    run : In(1)
        commands may leave s0
    infos : In(stream of CommandInfo)
    beats : In(stream of unsigned(8 * chunk_bytes))
    header : Out(stream of Headed(RequestHeader))
    data : Out(stream of DataFlit)
    fence : Out(stream of Fence)
        transfers when everything earlier has ended
    record_fault : In(Status)
        why fences cannot be recorded; OK if they can
    cycle : In(64)
    ended : In(stream of EngineAddress)
        always ready; a command of that engine has ended
    in_flight : Out(16)
    last_index : Out(32)
        index of the last command sent
    empty : Out(1)
        no command waits here
    failure : Out(Failure)
        high as long as the command that cannot be run waits
    """

    def __init__(self, config):
        self.config = config
        header = RequestHeader(address_bits=config.host.address_bits)
        super().__init__({
            "run": In(1),
            "infos": In(stream.Signature(CommandInfo)),
            "beats": In(stream.Signature(unsigned(8 * chunk_bytes(config)))),
            "header": Out(stream.Signature(Headed(header))),
            "data": Out(stream.Signature(DataFlit(flit_bytes=config.flit_bytes))),
            "fence": Out(stream.Signature(Fence)),
            "record_fault": In(Status),
            "cycle": In(64),
            "ended": In(stream.Signature(EngineAddress, always_ready=True)),
            "in_flight": Out(16),
            "last_index": Out(32),
            "empty": Out(1),
            "failure": Out(Failure),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        header = RequestHeader(address_bits=config.host.address_bits)
        m.submodules.credits = credits = Credits(config)
        m.submodules.headers = headers = Queue(Headed(header), depth=2)
        m.submodules.moves = moves = Queue(unsigned(1), depth=2)
        link(m, headers.o, wiring.flipped(self.header))

        # s0: decode
        s0_valid = Signal()
        s0_target = Signal(EngineAddress, reset_less=True)
        s0_is_fence = Signal(reset_less=True)
        s0_sequence = Signal(32, reset_less=True)
        s0_interrupt = Signal(reset_less=True)
        s0_fault = Signal(Status, reset_less=True)
        index = Signal(32)
        go = Signal()
        m.d.comb += self.infos.ready.eq(~s0_valid)

        prefix = self.infos.payload.prefix
        nop, fence = (_prefix(layout, prefix) for layout in (NopCommand, FenceCommand))
        command = nop.header
        with m.If(self.infos.valid & self.infos.ready):
            m.d.sync += [
                s0_valid.eq(1),
                s0_target.x.eq(command.tile_x),
                s0_target.y.eq(command.tile_y),
                s0_is_fence.eq(command.opcode == Opcode.FENCE),
                s0_sequence.eq(fence.sequence),
                s0_interrupt.eq(fence.interrupt),
                s0_fault.eq(Status.OK),
            ]
            with m.Switch(command.opcode):
                with m.Case(Opcode.NOP):
                    m.d.sync += s0_target.engine.eq(nop.engine)
                with m.Case(Opcode.FENCE):
                    m.d.sync += s0_fault.eq(self.record_fault)
                for opcode, engine in engine_of(config).items():
                    with m.Case(opcode):
                        m.d.sync += s0_target.engine.eq(engine)
                with m.Default():
                    m.d.sync += s0_fault.eq(Status.ILLEGAL_OPCODE)
            outside = (command.tile_x >= config.mesh.cols) | (command.tile_y >= config.mesh.rows)
            with m.If(self.infos.payload.error):
                m.d.sync += s0_fault.eq(Status.FETCH_BUS)
            with m.Elif(outside & self._known(command.opcode)):
                m.d.sync += s0_fault.eq(Status.ILLEGAL_TILE)

        # decide
        sent = Signal()
        fenced = Signal()
        able = Signal()
        m.d.comb += [
            able.eq(s0_valid & self.run & moves.i.ready & (s0_fault == Status.OK)),
            sent.eq(able & ~s0_is_fence & headers.i.ready & credits.ready & credits.free
                    & (self.in_flight < config.host.max_in_flight)),
            self.fence.valid.eq(able & s0_is_fence & (self.in_flight == 0)),
            fenced.eq(self.fence.valid & self.fence.ready),
            go.eq(sent | fenced),
            self.empty.eq(~s0_valid & ~self.infos.valid),

            credits.query.eq(s0_target),
            credits.give.eq(sent),
            credits.ended.payload.eq(self.ended.payload),
            credits.ended.valid.eq(self.ended.valid),

            headers.i.valid.eq(sent),
            headers.i.payload.has_data.eq(1),
            headers.i.payload.header.destination.x.eq(s0_target.x),
            headers.i.payload.header.destination.y.eq(s0_target.y),
            headers.i.payload.header.destination.port.eq(RouterPort.LOCAL),
            headers.i.payload.header.source.eq(CONTROL_NODE),
            headers.i.payload.header.kind.eq(RequestKind.COMMAND),
            headers.i.payload.header.tag.eq(s0_target.engine),
            headers.i.payload.header.length.eq(COMMAND_BYTES),
            headers.i.payload.header.address.eq(index),

            self.fence.payload.sequence.eq(s0_sequence),
            self.fence.payload.interrupt.eq(s0_interrupt),
            self.fence.payload.index.eq(index),
            self.fence.payload.cycle.eq(self.cycle),

            self.failure.valid.eq(s0_valid & self.run & (s0_fault != Status.OK)),
            self.failure.status.eq(s0_fault),
            self.failure.index.eq(index),
            self.failure.by_control.eq(1),
        ]
        with m.If(go):
            m.d.sync += [s0_valid.eq(0), index.eq(index + 1)]
        with m.If(sent):
            m.d.sync += self.last_index.eq(index)
        m.d.sync += self.in_flight.eq(self.in_flight + sent - self.ended.valid)

        self._move(m, moves, go, sent)
        return m

    def _known(self, opcode):
        """Opcodes that go to a tile."""
        known = engine_of(self.config)
        return (opcode == Opcode.NOP) | Cat(opcode == name for name in known).any()

    def _move(self, m, moves, go, sent):
        """The bytes of each command behind its header, or away."""
        chunks = COMMAND_BYTES // chunk_bytes(self.config)
        position = Signal(range(max(chunks, 2)))
        last = position == chunks - 1
        keep = moves.o.payload
        moved = Signal()
        m.d.comb += [
            moves.i.valid.eq(go),
            moves.i.payload.eq(sent),
            moved.eq(self.beats.valid & self.beats.ready),
            self.data.valid.eq(moves.o.valid & keep & self.beats.valid),
            self.data.payload.data.eq(self.beats.payload),
            self.data.payload.last.eq(last),
            self.beats.ready.eq(moves.o.valid & (self.data.ready | ~keep)),
            moves.o.ready.eq(moved & last),
        ]
        with m.If(moved):
            m.d.sync += position.eq(Mux(last, 0, position + 1))


def _prefix(layout, bits):
    """The first fields of ``layout`` seen in ``bits``."""
    layout = data.Layout.cast(layout)
    return data.View(layout, Cat(bits, Const(0, layout.size - len(bits))) if layout.size > len(bits)
                     else bits[:layout.size])
