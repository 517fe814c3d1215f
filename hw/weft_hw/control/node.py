"""Control node: the node between the host and the mesh.

::

    registers ─ RegisterBank ─┬─ QueueLife ── abort, clear
                              ├─ Watchdog
    host AR, R ─ RingFetch ─ Dispatcher ─┬─ PacketSender → request_o
                                │ fence  │
    host AW, W, B ─ RecordWriter┘      Probe
                              │          │
    interrupt ←───────────────┘    CompletionSink ← PacketReceiver ← response_i
"""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..axi.manager import drive_manager
from ..axi.signature import Axi4, AxiLite
from ..endpoint.window import Window
from ..noc.packet import Headed, MeshPort, RequestHeader, ResponseHeader
from ..noc.receiver import PacketReceiver
from ..noc.sender import PacketSender
from ..streams.link import link
from .bank import RegisterBank
from .completion import CompletionSink
from .dispatch import Dispatcher
from .fetch import RingFetch
from .probe import Probe
from .record import RecordWriter
from .registers import ADDRESS_BITS, PROBE_WORDS, WINDOW_READ, WINDOW_WRITE, Interrupt, QueueState
from .state import QueueLife
from .watchdog import Watchdog

__all__ = ["ControlNode"]


class ControlNode(wiring.Component):
    """Runs the command ring: fetches, dispatches, records fences, reports failures, answers the
    host's registers.

    Latency, DOORBELL_CYCLE to the interrupt of a lone fence: 6 cycles, the command's beats, the
    record's beats and two memory latencies.  Throughput: one command per 64 / flit_bytes cycles and
    its header's flits, over memory latencies of 100 cycles too; with flits wider than a command one
    in 4 cycles.

    Members
    -------
    registers : In(AxiLite)
    host : Out(Axi4)
        command ring and completion records
    mesh : Out(MeshPort)
    interrupt : Out(1)
        level: an enabled bit of INTERRUPT_STATUS is set
    windows : Out(ArrayLayout(Window, n))
    abort : Out(1)
        level to all tiles: end what is in flight
    clear : Out(1)
        one cycle, to all tiles, nothing in flight: forget semaphores and faults
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "registers": In(AxiLite(address_bits=ADDRESS_BITS)),
            "host": Out(Axi4(address_bits=config.host.address_bits, data_bytes=config.flit_bytes)),
            "mesh": Out(MeshPort(flit_bytes=config.flit_bytes)),
            "interrupt": Out(1),
            "windows": Out(data.ArrayLayout(Window, config.host.windows)),
            "abort": Out(1),
            "clear": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        bank = RegisterBank(config, cleared=("CONTROL", "TAIL"))
        fetch = RingFetch(config)
        dispatch = Dispatcher(config)
        record = RecordWriter(config)
        life = QueueLife(sources=4)
        m.submodules.bank = bank
        m.submodules.life = life
        # a queue reset is a reset of everything that is the queue's
        m.submodules.fetch = ResetInserter(life.clear)(fetch)
        m.submodules.dispatch = ResetInserter(life.clear)(dispatch)
        m.submodules.record = ResetInserter(life.clear)(record)
        m.submodules.watchdog = watchdog = Watchdog()
        m.submodules.probe = probe = Probe(config)
        m.submodules.sink = sink = CompletionSink()

        link(m, wiring.flipped(self.registers), bank.bus)
        self._queue(m, bank, life, fetch, dispatch, record, watchdog, sink)
        drive_manager(m, self.host, reads=fetch, writes=record, data_bytes=self.config.flit_bytes)
        self._network(m, dispatch, probe, sink)
        self._registers(m, bank, life, fetch, dispatch, record, probe)
        return m

    def _queue(self, m, bank, life, fetch, dispatch, record, watchdog, sink):
        """Fetch to dispatch to record, and what stops them."""
        stored = bank.stored
        quiet = (dispatch.in_flight == 0) & fetch.quiet & record.quiet
        fenced = dispatch.fence.valid & dispatch.fence.ready
        link(m, fetch.infos, dispatch.infos)
        link(m, fetch.beats, dispatch.beats)
        link(m, dispatch.fence, record.i)
        m.d.comb += [
            fetch.run.eq(life.run),
            fetch.base.eq(Cat(stored.QUEUE_BASE_LO, stored.QUEUE_BASE_HI)),
            fetch.log2.eq(stored.QUEUE_LOG2),
            fetch.tail.eq(stored.TAIL),
            dispatch.run.eq(life.healthy),
            dispatch.record_fault.eq(record.fault),
            dispatch.ended.payload.eq(sink.ended.payload),
            dispatch.ended.valid.eq(sink.ended.valid),
            record.base.eq(Cat(stored.COMPLETION_BASE_LO, stored.COMPLETION_BASE_HI)),
            record.log2.eq(stored.COMPLETION_LOG2),

            watchdog.limit.eq(stored.WATCHDOG),
            watchdog.busy.eq(~quiet),
            watchdog.progress.eq(sink.ended.valid | fenced | record.confirmed),

            life.enable.eq(stored.CONTROL[0]),
            life.reset.eq(bank.written.RESET & bank.data[0]),
            life.quiet.eq(quiet),
            life.failures[0].eq(sink.failure),
            life.failures[1].eq(record.failure),
            life.failures[2].eq(dispatch.failure),
            life.failures[3].eq(fetch.failure),
            life.expired.eq(watchdog.expired),
            life.last_index.eq(dispatch.last_index),
            bank.clear.eq(life.clear),
            self.abort.eq(life.abort),
            self.clear.eq(life.clear),
        ]

    def _network(self, m, dispatch, probe, sink):
        """Probes go before commands; nobody sends requests here, and nothing leaves on the response
        plane."""
        flit_bytes = self.config.flit_bytes
        request_header = RequestHeader(address_bits=self.config.host.address_bits)
        m.submodules.sender = sender = PacketSender(request_header, flit_bytes)
        m.submodules.receiver = receiver = PacketReceiver(ResponseHeader, flit_bytes)
        header = Signal(Headed(request_header), reset_less=True)
        header_valid = Signal()
        free = Signal()
        m.d.comb += [
            free.eq(~header_valid | sender.i_header.ready),
            probe.header.ready.eq(free),
            dispatch.header.ready.eq(free & ~probe.header.valid),
            sender.i_header.payload.eq(header),
            sender.i_header.valid.eq(header_valid),
        ]
        with m.If(free):
            m.d.sync += [
                header_valid.eq(probe.header.valid | dispatch.header.valid),
                header.eq(Mux(probe.header.valid, probe.header.payload.as_value(),
                              dispatch.header.payload.as_value())),
            ]
        link(m, dispatch.data, sender.i_data)
        link(m, sender.o, wiring.flipped(self.mesh.request_o))

        link(m, wiring.flipped(self.mesh.response_i), receiver.i)
        m.d.comb += [
            sink.i.payload.eq(receiver.o_header.payload),
            sink.i.valid.eq(receiver.o_header.valid),
            receiver.o_header.ready.eq(1),
            probe.answer.payload.eq(sink.answer.payload),
            probe.answer.valid.eq(sink.answer.valid),
            probe.data.payload.eq(receiver.o_data.payload),
            probe.data.valid.eq(receiver.o_data.valid),
            receiver.o_data.ready.eq(1),
            self.mesh.request_i.ready.eq(1),
        ]

    def _registers(self, m, bank, life, fetch, dispatch, record, probe):
        """What the host reads, and the interrupts."""
        stored, values = bank.stored, bank.values
        cycle = Signal(64)
        doorbell = Signal(64)
        completed = Signal(32)
        interrupts = Signal(Interrupt)
        fenced = dispatch.fence.valid & dispatch.fence.ready
        halted = life.state == QueueState.HALTED
        running = life.state == QueueState.RUNNING
        idle = life.quiet & (halted | dispatch.empty & ~(running & fetch.pending))

        m.d.sync += cycle.eq(cycle + 1)
        with m.If(bank.written.TAIL):
            m.d.sync += doorbell.eq(cycle)
        m.d.sync += completed.eq(Mux(life.clear, 0, completed + dispatch.ended.valid + fenced))
        events = Cat(record.interrupt, life.interrupt)
        seen = Mux(bank.written.INTERRUPT_STATUS, bank.data[:len(events)], 0)
        m.d.sync += interrupts.eq(interrupts.as_value() & ~seen | events)

        m.d.comb += [
            dispatch.cycle.eq(cycle),
            values.STATUS.eq(Cat(life.state, idle)),
            values.HEAD.eq(fetch.head),
            values.SEQUENCE.eq(record.sequence),
            values.ERROR_STATUS.eq(life.error.status),
            values.ERROR_INDEX.eq(life.error.index),
            values.ERROR_SOURCE[0:2].eq(life.error.engine),
            values.ERROR_SOURCE[4:8].eq(life.error.x),
            values.ERROR_SOURCE[8:12].eq(life.error.y),
            values.ERROR_SOURCE[31].eq(life.error.by_control),
            values.INTERRUPT_STATUS.eq(interrupts.as_value()),
            values.IN_FLIGHT.eq(dispatch.in_flight),
            values.COMPLETED.eq(completed),
            values.CYCLE_LO.eq(cycle[:32]),
            values.CYCLE_HI.eq(cycle[32:]),
            values.DOORBELL_CYCLE_LO.eq(doorbell[:32]),
            values.DOORBELL_CYCLE_HI.eq(doorbell[32:]),
            values.PROBE_VALID.eq(probe.valid),
            probe.start.eq(bank.written.PROBE),
            probe.target.eq(stored.PROBE),
            self.interrupt.eq((interrupts.as_value() & stored.INTERRUPT_ENABLE).any()),
        ]
        for word in range(PROBE_WORDS):
            m.d.comb += values[f"PROBE_DATA_{word}"].eq(probe.words[word])
        for number in range(self.config.host.windows):
            window = self.windows[number]
            access = stored[f"WINDOW_{number}_ACCESS"]
            m.d.comb += [
                window.base.eq(stored[f"WINDOW_{number}_BASE"]),
                window.limit.eq(stored[f"WINDOW_{number}_LIMIT"]),
                window.read.eq((access & WINDOW_READ).any()),
                window.write.eq((access & WINDOW_WRITE).any()),
            ]
