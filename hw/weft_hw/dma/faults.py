"""Why an access is not made."""

from amaranth.hdl import Cat, Mux
from amaranth.lib import data

from ..isa import Status

__all__ = ["Faults"]


class Faults(data.Struct):
    """What is wrong with an access; of several the first counts. ``local_begins``: of the
    scratchpad rows beyond the end even its first.
    """

    stopped: 1
    illegal: 1
    bad_index: 1
    local_ends: 1
    memory_ends: 1
    local_begins: 1

    def any(self):
        return Cat(self.stopped, self.illegal, self.bad_index, self.local_ends,
                   self.memory_ends).any()

    def describe(self, m, access, *, row, address, scratchpad_rows):
        """Gives ``access`` its status and address: ``row`` and ``address`` are where it begins."""
        m.d.comb += access.address.eq(0)
        with m.If(self.stopped):
            m.d.comb += access.status.eq(Status.ABORTED)
        with m.Elif(self.illegal):
            m.d.comb += access.status.eq(Status.ILLEGAL_FIELD)
        with m.Elif(self.bad_index):
            m.d.comb += [access.status.eq(Status.INDEX), access.address.eq(row)]
        with m.Elif(self.local_ends):
            m.d.comb += [
                access.status.eq(Status.LOCAL_RANGE),
                access.address.eq(Mux(self.local_begins, row, scratchpad_rows)),
            ]
        with m.Elif(self.memory_ends):
            m.d.comb += [
                access.status.eq(Status.WINDOW), access.address.eq((1 << len(address)) - 1)]
        with m.Else():
            m.d.comb += [access.status.eq(Status.OK), access.address.eq(address)]
