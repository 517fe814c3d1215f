"""Credits: how many commands each engine of each tile holds."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..isa import Engine

__all__ = ["Credits", "EngineAddress"]


class EngineAddress(data.Struct):
    """An engine of a tile."""

    engine: Engine
    x: unsigned(4)
    y: unsigned(4)


class Credits(wiring.Component):
    """Says whether an engine may get another command: its queue holds ``command_queue_depth``.

    Two memories of free-running counts, commands given and commands ended, each with one writer, so
    that both may change in one cycle. Memories have no reset: after one a sweep sets every count to
    zero, an engine a cycle.

    Latency: ``free`` is combinational; a change counts from the next cycle.

    Members
    -------
    ready : Out(1)
        the sweep is over
    query : In(EngineAddress)
    free : Out(1)
        the engine in ``query`` may get a command
    give : In(1)
        it gets one
    ended : In(stream of EngineAddress)
        always ready; a command of that engine has ended
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "ready": Out(1),
            "query": In(EngineAddress),
            "free": Out(1),
            "give": In(1),
            "ended": In(stream.Signature(EngineAddress, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self.config.tile.command_queue_depth
        mesh = self.config.mesh
        x_bits, y_bits = ceil_log2(mesh.cols), ceil_log2(mesh.rows)
        rows = 1 << (2 + x_bits + y_bits)
        count = unsigned((2 * depth - 1).bit_length())

        def row(address):
            return Cat(address.engine, address.x[:x_bits], address.y[:y_bits])

        m.submodules.given = given = memory.Memory(shape=count, depth=rows, init=[])
        m.submodules.done = done = memory.Memory(shape=count, depth=rows, init=[])
        given_write, done_write = given.write_port(), done.write_port()
        given_read, done_read = given.read_port(domain="comb"), done.read_port(domain="comb")
        done_update = done.read_port(domain="comb")

        sweep = Signal(range(rows + 1))
        m.d.comb += [
            self.ready.eq(sweep[-1]),  # at ``rows``, a power of two
            given_read.addr.eq(row(self.query)),
            done_read.addr.eq(row(self.query)),
            done_update.addr.eq(row(self.ended.payload)),
            self.free.eq((given_read.data - done_read.data)[:count.width] != depth),
        ]
        with m.If(self.ready):
            m.d.comb += [
                given_write.addr.eq(row(self.query)),
                given_write.data.eq(given_read.data + 1),
                given_write.en.eq(self.give),
                done_write.addr.eq(row(self.ended.payload)),
                done_write.data.eq(done_update.data + 1),
                done_write.en.eq(self.ended.valid),
            ]
        with m.Else():
            m.d.sync += sweep.eq(sweep + 1)
            m.d.comb += [
                given_write.addr.eq(sweep),
                given_write.data.eq(0),
                given_write.en.eq(1),
                done_write.addr.eq(sweep),
                done_write.data.eq(0),
                done_write.en.eq(1),
            ]
        return m
