"""Front end of an engine: its command queue, the wait for semaphores, and the hand-over.

While the engine runs one command the front end assembles the next and takes its semaphores, so that
an engine that accepts early sees no gap. NOP ends here, after everything handed over before it has
ended. Under ``abort`` commands are answered ABORTED without being handed over.

Latency: last word of a command to hand-over 2 cycles if its semaphores are there. Throughput: a
command every ``1 + 64 / flit_bytes + 2`` cycles.
"""

from amaranth.hdl import Assert, Module, Mux, ResetSignal, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..axi.queue import Queue
from ..enums import enum
from ..isa import COMMAND_BITS, COMMAND_BYTES, CommandHeader, Opcode, Status
from ..streams.level import count
from ..streams.link import link
from .engine import Done, EnginePort

__all__ = ["EngineState", "FrontEnd"]


class EngineState(enum.Enum, shape=unsigned(2)):
    """Where an engine stands, for the status page. RUNNING wins over WAITING."""

    IDLE = 0
    WAITING = 1
    RUNNING = 2


class FrontEnd(wiring.Component):
    """Queue and semaphores in front of one engine.

    Members
    -------
    words : In(stream of flit_bytes)
        Commands: a word with the index, then the 64 bytes. Never full while the control node keeps
        its credits.
    engine : Out(EnginePort)
    request, mask, grant
        To ``Semaphores``.
    done : Out(stream of Done)
        Every command once.
    abort : In(1)
    state : Out(EngineState), index : Out(32)
        Of the command that waits, else the one handed over last.
    waiting : Out(1)
        A command waits for semaphores.
    start, start_index : Out
        A command begins in this cycle (observation).
    """

    def __init__(self, config):
        self.config = config
        address_bits = config.host.address_bits
        super().__init__({
            "words": In(stream.Signature(unsigned(8 * config.flit_bytes))),
            "engine": Out(EnginePort(address_bits=address_bits)),
            "request": Out(1), "mask": Out(16), "grant": In(1),
            "done": Out(stream.Signature(Done(address_bits=address_bits))),
            "abort": In(1),
            "state": Out(EngineState), "index": Out(32), "waiting": Out(1),
            "start": Out(1), "start_index": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        flit_bits = 8 * config.flit_bytes
        words = COMMAND_BYTES // config.flit_bytes
        depth = config.tile.command_queue_depth * (1 + words)
        m.submodules.queue = queue = Queue(unsigned(flit_bits), depth=depth, block_ram=True)
        link(m, wiring.flipped(self.words), queue.i)

        bits = Signal(COMMAND_BITS, reset_less=True)   # valid from ACQUIRE on
        index = Signal(32)
        header = CommandHeader(bits[:CommandHeader.as_shape().size])
        missing = Signal(range(words + 2), init=words + 1)
        inside = Signal(range(config.tile.command_queue_depth + 1))
        some_inside, none_inside = Signal(), Signal(init=1)     # one chooses the wide payload
        handed, ended = Signal(), Signal()
        m.d.comb += [
            handed.eq(self.engine.command.valid & self.engine.command.ready),
            ended.eq(self.engine.done.valid & self.engine.done.ready),
            self.engine.abort.eq(self.abort),
            self.engine.command.payload.bits.eq(bits), self.engine.command.payload.index.eq(index),
            self.mask.eq(header.wait),
            self.index.eq(index), self.start_index.eq(index),
        ]
        count(m, inside, up=handed, down=ended,
              flags=[(some_inside, lambda commands: commands != 0),
                     (none_inside, lambda commands: commands == 0)])

        # the engine's ends go first; our own wait until it has none left
        own = Signal()
        own_taken = Signal()
        m.d.comb += [
            self.done.valid.eq(self.engine.done.valid | own),
            self.engine.done.ready.eq(self.done.ready),
            own_taken.eq(own & self.done.ready),
            self.done.payload.eq(self.engine.done.payload),
        ]
        m.d.sync += Assert(ResetSignal() | some_inside | ~self.engine.done.valid,
                           "an engine must end only commands that it was handed")
        with m.If(none_inside):
            m.d.comb += [
                self.done.payload.index.eq(index),
                self.done.payload.signal.eq(header.signal),
                self.done.payload.status.eq(Mux(self.abort, Status.ABORTED, Status.OK)),
                self.done.payload.address.eq(0),
            ]

        with m.FSM() as fsm:
            with m.State("ASSEMBLE"):
                # the index and the words of the next command
                m.d.comb += queue.o.ready.eq(1)
                with m.If(queue.o.valid):
                    m.d.sync += missing.eq(missing - 1)
                    with m.If(missing == words + 1):
                        m.d.sync += index.eq(queue.o.payload)
                    for word in range(words):
                        with m.If(missing == words - word):
                            m.d.sync += bits.word_select(word, flit_bits).eq(queue.o.payload)
                    with m.If(missing == 1):
                        m.d.sync += missing.eq(words + 1)
                        m.next = "ACQUIRE"
            with m.State("ACQUIRE"):
                # its semaphores
                m.d.comb += [self.request.eq(~self.abort), self.waiting.eq(1)]
                with m.If(self.abort):
                    m.next = "ANSWER"
                with m.Elif(self.grant):
                    m.next = "OFFER"
                    with m.If(header.opcode == Opcode.NOP):
                        m.next = "ANSWER"
            with m.State("OFFER"):
                # the engine to accept
                m.d.comb += self.engine.command.valid.eq(~self.abort)
                with m.If(self.abort):
                    m.next = "ANSWER"
                with m.Elif(self.engine.command.ready):
                    m.d.comb += self.start.eq(1)
                    m.next = "ASSEMBLE"
            with m.State("ANSWER"):
                # everything handed over before to end
                m.d.comb += own.eq(~some_inside)
                with m.If(own_taken):
                    m.d.comb += self.start.eq(1)
                    m.next = "ASSEMBLE"
        assembled = ~fsm.ongoing("ASSEMBLE")
        running = some_inside | (assembled & ~self.waiting)
        m.d.comb += self.state.eq(Mux(running, EngineState.RUNNING,
                                      Mux(self.waiting, EngineState.WAITING, EngineState.IDLE)))
        return m


