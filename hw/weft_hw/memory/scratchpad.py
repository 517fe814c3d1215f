"""Scratchpad: banked local memory for operands, parameters and results.

Banks go by the high address bits, so that placement decides who meets whom: clients in different
banks never wait for each other. Each bank serves one read and one write a cycle; among clients of
one bank the first in ``readers`` (``writers``) wins.

Latency: ``READ_LATENCY`` = 2 cycles (memory, then the client's register). Throughput: one row per
client and cycle.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..shared import share
from .bank import MemoryBank
from .port import ReadPort, WritePort

__all__ = ["Scratchpad", "readers", "writers"]


def readers(config) -> tuple[str, ...]:
    """Reading clients, first wins. The array's streams are never disturbed; ``load`` reads the
    indices of a gather."""
    scales = ("scales",) if "mxfp8" in config.tile.formats else ()
    load = ("load",) if config.tile.tensor_loads else ()
    return ("activations", "weights", *scales, "vector", "store", *load)


def writers(config) -> tuple[str, ...]:
    """Writing clients, first wins; ``remote`` are the stores of other tiles."""
    remote = ("remote",) if config.mesh.tiles > 1 else ()
    return ("load", *remote, "vector")


class Scratchpad(wiring.Component):
    """``scratchpad_rows`` rows of ``row_bytes``.

    Members
    -------
    read_<client> : In(ReadPort), for each of ``readers``
    write_<client> : In(WritePort), for each of ``writers``
        The vector engine's writes parts of rows, of as many parts as ``tile.write_parts``.
    conflict : Out(1)
        Some client was refused in this cycle.
    """

    def __init__(self, config):
        tile = config.tile
        self.tile = tile
        self.readers, self.writers = readers(config), writers(config)
        size = {"rows": tile.scratchpad_rows, "row_bits": 8 * tile.row_bytes}
        parts = {"vector": tile.write_parts}
        super().__init__({
            **{f"read_{name}": In(ReadPort(**size)) for name in self.readers},
            **{f"write_{name}": In(WritePort(**size, parts=parts.get(name, 1)))
               for name in self.writers},
            "conflict": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self.tile
        count = tile.scratchpad_banks
        bank_rows = tile.scratchpad_rows // count
        row_bits = ceil_log2(bank_rows)
        banks = [MemoryBank(rows=bank_rows, row_bits=8 * tile.row_bytes, parts=tile.write_parts)
                 for _ in range(count)]
        for index, bank in enumerate(banks):
            m.submodules[f"bank_{index}"] = share(bank)

        reads = [getattr(self, f"read_{name}") for name in self.readers]
        writes = [getattr(self, f"write_{name}") for name in self.writers]
        read_rows = [port.request.payload for port in reads]
        write_rows = [port.request.payload.row for port in writes]
        refused = [*self._arbitrate(m, reads, read_rows, row_bits),
                   *self._arbitrate(m, writes, write_rows, row_bits)]
        m.d.comb += self.conflict.eq(Cat(refused).any())

        for index, bank in enumerate(banks):
            # last assignment wins: lowest priority first
            for port, row in reversed(list(zip(reads, read_rows, strict=True))):
                with m.If(port.request.valid & (row[row_bits:] == index)):
                    m.d.comb += [bank.read_enable.eq(1), bank.read_row.eq(row[:row_bits])]
            for port, row in reversed(list(zip(writes, write_rows, strict=True))):
                beat = port.request.payload
                parts = beat.mask if "mask" in beat.shape().members else Const(-1, tile.write_parts)
                with m.If(port.request.valid & (row[row_bits:] == index)):
                    m.d.comb += [bank.write_enable.eq(parts), bank.write_row.eq(row[:row_bits]),
                                 bank.write_data.eq(beat.data)]

        data = Array(bank.read_data for bank in banks)
        for name, port, row in zip(self.readers, reads, read_rows, strict=True):
            granted = Signal(name=f"{name}_granted")
            bank = Signal(range(count), name=f"{name}_bank")
            response = Signal(8 * tile.row_bytes, reset_less=True, name=f"{name}_data")
            valid = Signal(name=f"{name}_valid")
            m.d.sync += [granted.eq(port.request.valid & port.request.ready), valid.eq(granted)]
            if count > 1:
                m.d.sync += bank.eq(row[row_bits:])
            # the register keeps its row when nothing comes, so that nothing behind it toggles
            with m.If(granted):
                m.d.sync += response.eq(data[bank] if count > 1 else banks[0].read_data)
            m.d.comb += [port.response.valid.eq(valid), port.response.payload.eq(response)]
        return m

    @staticmethod
    def _arbitrate(m, ports, rows, row_bits):
        """Readies each port unless an earlier one wants the same bank. Returns the refusals."""
        refused = []
        for index, (port, row) in enumerate(zip(ports, rows, strict=True)):
            blocked = Cat(earlier.request.valid & (other[row_bits:] == row[row_bits:])
                          for earlier, other in zip(ports[:index], rows[:index], strict=True)).any()
            m.d.comb += port.request.ready.eq(Mux(blocked, 0, 1))
            refused.append(port.request.valid & blocked)
        return refused
