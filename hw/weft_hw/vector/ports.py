"""The ports of the vector engine, which are those of each of its two units."""

from amaranth.lib.wiring import In, Out

from ..memory.port import ReadPort, WritePort
from ..tile.engine import EnginePort

__all__ = ["vector_ports"]


def vector_ports(config):
    """Members of a component that runs commands on the accumulator and the scratchpad.

    Members
    -------
    engine : In(EnginePort)
    accumulator : Out(ReadPort)
    read : Out(ReadPort), write : Out(WritePort)
        Scratchpad.
    busy : Out(1)
        A command is inside.
    """
    tile = config.tile
    pad = {"rows": tile.scratchpad_rows, "row_bits": 8 * tile.row_bytes}
    return {
        "engine": In(EnginePort(address_bits=config.host.address_bits)),
        "accumulator": Out(ReadPort(rows=tile.accumulator_rows, row_bits=32 * tile.array_cols)),
        "read": Out(ReadPort(**pad)),
        "write": Out(WritePort(**pad, parts=tile.write_parts)),
        "busy": Out(1),
    }
