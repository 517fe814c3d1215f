"""Packets of a STORE to tiles (``dma/tile_walk.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import NamedTuple

from weft_hw.config import ChipConfig
from weft_hw.isa import Status
from weft_hw.noc.tile_packet import tile_packet_rows

__all__ = ["TilePacket", "TileWalk"]


class TilePacket(NamedTuple):
    """``rows`` scratchpad rows from ``row`` on, ``length`` bytes, to ``remote_row`` on of every
    tile of the rectangle; ``signal`` is given there. ``last`` ends the command.
    """

    row: int
    remote_row: int
    rows: int
    length: int
    signal: int
    last: bool


class TileWalk:
    """The packets of a command, in order. Rows without a gap on both sides are one run.

    A walk ends early, with ``fault`` (status, address), at the first packet that cannot be made.
    """

    def __init__(self, fields: SimpleNamespace, config: ChipConfig) -> None:
        self._f = fields
        self._flit = config.flit_bytes
        self._rows = config.tile.scratchpad_rows
        self._packet_rows = tile_packet_rows(config)
        self.fault: tuple[Status, int] | None = None
        if (
            fields.x_first > fields.x_last
            or fields.y_first > fields.y_last
            or (fields.rows and not fields.row_bytes)
        ):
            self.fault = Status.ILLEGAL_FIELD, 0
        elif fields.x_last >= config.mesh.cols or fields.y_last >= config.mesh.rows:
            self.fault = Status.ILLEGAL_TILE, 0

    @property
    def tiles(self) -> int:
        """Tiles of the rectangle."""
        f = self._f
        return (f.x_last - f.x_first + 1) * (f.y_last - f.y_first + 1)

    def __iter__(self) -> Iterator[TilePacket]:
        if self.fault is not None:
            return
        f, flit = self._f, self._flit
        if not f.rows:
            yield TilePacket(0, f.remote_row, 0, 0, f.remote_signal, True)
            return
        count = -(-f.row_bytes // flit)
        runs, size = f.rows, f.row_bytes
        if f.row_bytes % flit == 0 and f.local_stride == f.remote_stride == count:
            runs, size = 1, f.rows * f.row_bytes
        rows = -(-size // flit)
        for run in range(runs):
            for begin in range(0, rows, self._packet_rows):
                part = min(self._packet_rows, rows - begin)
                row = f.local_row + run * f.local_stride + begin
                remote = f.remote_row + run * f.remote_stride + begin
                for first in (row, remote):
                    if first + part > self._rows:
                        self.fault = Status.LOCAL_RANGE, max(first, self._rows)
                        return
                last = run == runs - 1 and begin + part == rows
                length = min(part * flit, size - begin * flit)
                signal = f.remote_signal if last else 0
                yield TilePacket(row, remote, part, length, signal, last)
