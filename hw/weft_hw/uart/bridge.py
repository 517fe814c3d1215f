"""The bridge: carries out requests on the chip's registers (AXI4-Lite) and on a memory, and answers
each.

::

    rx bytes -> Deframer -> requests -> | this | -> replies -> Framer -> tx bytes
                                        |      | <-> registers (AXI4-Lite), memory (RamPort)
                                        |      | <-- interrupt    --> chip reset
"""

from amaranth.hdl import Array, C, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..axi.queue import Queue
from ..axi.signature import RESPONSE_OKAY, AxiLite
from ..boards.ram import RamPort
from ..control.registers import ADDRESS_BITS
from ..streams.link import link
from .check import RequestCheck
from .deframer import Deframer
from .framer import FrameByte, Framer
from .protocol import MAGIC, MAX_DATA, PROTOCOL_VERSION, Header, Info, Operation, ReplyStatus

__all__ = ["Bridge"]

#: Cycles for which RESET holds the chip in reset.
_RESET_CYCLES = 32


class Bridge(wiring.Component):
    """One request at a time; ``protocol`` says what each does. Every request ends: registers and
    memory always answer.

    Parameters
    ----------
    memory_bytes : int
        Size of the memory, a multiple of ``data_bytes``.
    data_bytes : int
        Bytes of one of its rows, a power of two.
    clock_hz : int
        What INFO tells the host.

    Members
    -------
    i : In(stream of 8 bits, always ready)
    broken : In(1)
        From the UART receiver.
    o : Out(stream of 8 bits)
    registers : Out(AxiLite)
    ram : Out(RamPort)
    interrupt : In(1)
    chip_reset : Out(1)
    busy : Out(1)
        A request is being carried out.
    """

    def __init__(self, *, memory_bytes, data_bytes, clock_hz):
        self.memory_bytes = memory_bytes
        self.data_bytes = data_bytes
        self.clock_hz = clock_hz
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(8), always_ready=True)),
                "broken": In(1),
                "o": Out(stream.Signature(unsigned(8))),
                "registers": Out(AxiLite(address_bits=ADDRESS_BITS)),
                "ram": Out(RamPort(rows=memory_bytes // data_bytes, data_bytes=data_bytes)),
                "interrupt": In(1),
                "chip_reset": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.deframer = deframer = Deframer()
        m.submodules.framer = framer = Framer()
        m.submodules.check = check = RequestCheck(memory_bytes=self.memory_bytes)
        link(m, wiring.flipped(self.i), deframer.i)
        # queues, so that no way leads from the transmitter back to the bridge within a cycle
        m.submodules.replies = replies = Queue(FrameByte, depth=2)
        m.submodules.line = line = Queue(unsigned(8), depth=2)
        link(m, replies.o, framer.i)
        link(m, framer.o, line.i)
        link(m, line.o, wiring.flipped(self.o))
        # and none from the memory's other users
        m.submodules.reads = reads = Queue(self.ram.read.payload.shape(), depth=2)
        m.submodules.writes = writes = Queue(self.ram.write.payload.shape(), depth=2)
        link(m, reads.o, wiring.flipped(self.ram.read))
        link(m, writes.o, wiring.flipped(self.ram.write))
        request, reply = deframer.o, replies.i
        header = Signal(Header, reset_less=True)  # of the request; address and count run
        status = Signal(ReplyStatus)
        buffer = Signal(32, reset_less=True)  # a register's bytes on their way out
        buffered = Signal(range(4))  # of them, those after the next
        index = Signal(11)
        lane_bits = exact_log2(self.data_bytes)
        lane = header.address[:lane_bits]
        row = header.address[lane_bits:][: len(self.ram.read.payload)]
        final = Signal()  # ``header.count`` is 1
        counted = Signal()  # it was 0 in the cycle before
        final_lane = Signal()
        word = Signal(8 * self.data_bytes, reset_less=True)
        strobe = Signal(self.data_bytes)
        info = Array(C(byte, 8) for byte in self._info())
        m.d.comb += [
            deframer.broken.eq(self.broken),
            check.i.header.eq(header),
            check.i.data_bytes.eq(request.payload.data_bytes),
            check.i.whole.eq(request.payload.whole),
            deframer.data_index.eq(index),
            final_lane.eq((lane == self.data_bytes - 1) | final),
            reads.i.payload.eq(row),
            writes.i.payload.row.eq(row),
            writes.i.payload.data.eq(word),
            writes.i.payload.strobe.eq(strobe),
            self.registers.wstrb.eq(0xF),
            self.registers.rready.eq(1),
            self.registers.bready.eq(1),
            self.busy.eq(request.valid),
        ]
        m.d.sync += [
            counted.eq(header.count == 0),
            self.registers.awaddr.eq(header.address),
            self.registers.araddr.eq(header.address),
            self.registers.wdata.eq(header.count),
        ]

        with m.FSM():
            with m.State("IDLE"):
                # waits for a request
                m.d.sync += [
                    header.eq(request.payload.header),
                    status.eq(ReplyStatus.OKAY),
                    index.eq(0),
                ]
                with m.If(request.valid):
                    m.next = "CHECK"
            with m.State("CHECK"):
                # what must not be carried out is refused
                m.d.sync += [status.eq(check.o), final.eq(header.count == 1)]
                m.next = "TAG"
            with m.State("TAG"):
                # waits for the reply's first byte to go
                m.d.comb += [reply.valid.eq(1), reply.payload.byte.eq(header.tag)]
                with m.If(reply.ready):
                    m.next = "STATUS"
                    with m.If(status == ReplyStatus.OKAY):
                        self._dispatch(m, header.operation)
            with m.State("STATUS"):
                # waits for the memory to be written and the reply's last byte to go; the request is
                # done
                m.d.comb += [
                    reply.valid.eq(~writes.o.valid),
                    reply.payload.byte.eq(status),
                    reply.payload.last.eq(1),
                    request.ready.eq(reply.ready & ~writes.o.valid),
                ]
                with m.If(request.ready):
                    m.next = "IDLE"

            with m.State("INFO"):
                # waits for each byte of Info to go
                m.d.comb += [reply.valid.eq(1), reply.payload.byte.eq(info[index[:5]])]
                with m.If(reply.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == len(self._info()) - 1):
                        m.next = "STATUS"

            with m.State("READ_REGISTER"):
                # waits for the address to be taken
                m.d.sync += self.registers.arvalid.eq(1)
                with m.If(self.registers.arvalid & self.registers.arready):
                    m.d.sync += self.registers.arvalid.eq(0)
                    m.next = "REGISTER_DATA"
            with m.State("REGISTER_DATA"):
                # waits for the register's value
                m.d.sync += [buffer.eq(self.registers.rdata), buffered.eq(3)]
                with m.If(self.registers.rvalid):
                    m.next = "BYTES"
                    with m.If(self.registers.rresp != RESPONSE_OKAY):
                        m.d.sync += status.eq(ReplyStatus.BUS)
            with m.State("BYTES"):
                # waits for each byte of the buffer to go
                m.d.comb += [reply.valid.eq(1), reply.payload.byte.eq(buffer[:8])]
                with m.If(reply.ready):
                    m.d.sync += [buffer.eq(buffer >> 8), buffered.eq(buffered - 1)]
                    with m.If(buffered == 0):
                        m.next = "STATUS"
            with m.State("WRITE_REGISTER"):
                # offers address and value
                m.d.sync += [self.registers.awvalid.eq(1), self.registers.wvalid.eq(1)]
                m.next = "REGISTER_ANSWER"
            with m.State("REGISTER_ANSWER"):
                # waits for both to be taken, in any order, and for the answer
                with m.If(self.registers.awready):
                    m.d.sync += self.registers.awvalid.eq(0)
                with m.If(self.registers.wready):
                    m.d.sync += self.registers.wvalid.eq(0)
                with m.If(self.registers.bvalid):
                    m.next = "STATUS"
                    with m.If(self.registers.bresp != RESPONSE_OKAY):
                        m.d.sync += status.eq(ReplyStatus.BUS)

            with m.State("READ_MEMORY"):
                # waits for room on the way to the memory
                m.d.comb += reads.i.valid.eq(1)
                with m.If(reads.i.ready):
                    m.next = "MEMORY_DATA"
            with m.State("MEMORY_DATA"):
                # waits for the row
                m.d.sync += word.eq(self.ram.data.payload)
                with m.If(self.ram.data.valid):
                    m.next = "MEMORY_BYTES"
            with m.State("MEMORY_BYTES"):
                # waits for each byte of the row that is wanted to go
                m.d.comb += [reply.valid.eq(1), reply.payload.byte.eq(word.word_select(lane, 8))]
                with m.If(reply.ready):
                    m.next = "STEP"

            with m.State("FETCH"):
                # the byte at ``index`` of the request's data is on its way
                m.d.sync += strobe.eq(0)
                m.next = "GATHER"
            with m.State("GATHER"):
                # bytes come up to the row's end
                clear = header.operation == Operation.CLEAR_MEMORY.value
                m.d.sync += [
                    word.word_select(lane, 8).eq(Mux(clear, 0, deframer.data)),
                    strobe.bit_select(lane, 1).eq(1),
                    index.eq(index + 1),
                ]
                m.next = "STEP"
                with m.If(final_lane):
                    m.next = "WRITE_ROW"
            with m.State("WRITE_ROW"):
                # waits for room on the way to the memory
                m.d.comb += writes.i.valid.eq(1)
                with m.If(writes.i.ready):
                    m.next = "STEP"
            with m.State("STEP"):
                # on to the next byte; meanwhile it is on its way from the request's data
                m.d.sync += [
                    header.address.eq(header.address + 1),
                    header.count.eq(header.count - 1),
                    final.eq(header.count == 2),
                ]
                with m.If(final):
                    m.next = "STATUS"
                with m.Elif(header.operation == Operation.READ_MEMORY.value):
                    m.next = "MEMORY_BYTES"
                    with m.If(final_lane):
                        m.next = "READ_MEMORY"
                with m.Else():
                    m.next = "GATHER"
                    with m.If(final_lane):
                        m.next = "FETCH"

            with m.State("WAIT"):
                # waits for the interrupt, or for the cycles to pass (and one)
                m.d.sync += header.count.eq(header.count - 1)
                with m.If(self.interrupt | counted):
                    m.d.sync += [buffer.eq(self.interrupt), buffered.eq(0)]
                    m.next = "BYTES"

            with m.State("RESET"):
                # waits for everything in the chip to be in reset
                m.d.comb += self.chip_reset.eq(1)
                m.d.sync += index.eq(index + 1)
                with m.If(index == _RESET_CYCLES - 1):
                    m.next = "STATUS"
        return m

    def _info(self):
        layout = Info.as_shape()
        bits = (
            layout.const({
                "magic": MAGIC,
                "version": PROTOCOL_VERSION,
                "word_bytes": self.data_bytes,
                "memory_bytes": self.memory_bytes,
                "clock_hz": self.clock_hz,
                "max_data": MAX_DATA,
            })
            .as_value()
            .value
        )
        return bits.to_bytes(layout.size // 8, "little")

    def _dispatch(self, m, operation):
        first = {Operation.WRITE_MEMORY: "FETCH", Operation.CLEAR_MEMORY: "FETCH"}
        with m.Switch(operation):
            for each in Operation:
                with m.Case(each.value):
                    m.next = first.get(each, each.name)
