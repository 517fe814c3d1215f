"""Whether a request can be carried out. Combinational."""

from amaranth.hdl import C, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..control.registers import ADDRESS_BITS
from .deframer import Request
from .protocol import MAX_DATA, Operation, ReplyStatus

__all__ = ["RequestCheck"]


class RequestCheck(wiring.Component):
    """The status of a request before it begins: OKAY, or why it must not.

    Parameters
    ----------
    memory_bytes : int

    Members
    -------
    i : In(Request)
    o : Out(ReplyStatus)
    """

    i: In(Request)
    o: Out(ReplyStatus)

    def __init__(self, *, memory_bytes):
        self.memory_bytes = memory_bytes
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        header = self.i.header
        operation, count = header.operation, header.count
        end = Signal(33)
        of_registers, of_memory, transfers = Signal(), Signal(), Signal()
        data_bytes = Signal(11)
        m.d.comb += [
            end.eq(header.address + count),
            of_registers.eq((operation == Operation.READ_REGISTER.value)
                            | (operation == Operation.WRITE_REGISTER.value)),
            transfers.eq((operation == Operation.READ_MEMORY.value)
                         | (operation == Operation.WRITE_MEMORY.value)),
            of_memory.eq(transfers | (operation == Operation.CLEAR_MEMORY.value)),
            data_bytes.eq(Mux(operation == Operation.WRITE_MEMORY.value, count, 0)),
        ]
        known = sum((operation == each.value for each in Operation), start=C(0, 1)) != 0
        too_long = of_memory & (count == 0) | transfers & (count > MAX_DATA)
        no_register = (header.address[:2] != 0) | (header.address >= 1 << ADDRESS_BITS)
        outside = of_registers & no_register | of_memory & (end > self.memory_bytes)
        with m.If(~self.i.whole):
            m.d.comb += self.o.eq(ReplyStatus.BAD_FRAME)
        with m.Elif(~known | too_long | (self.i.data_bytes != data_bytes)):
            m.d.comb += self.o.eq(ReplyStatus.BAD_REQUEST)
        with m.Elif(outside):
            m.d.comb += self.o.eq(ReplyStatus.RANGE)
        return m
