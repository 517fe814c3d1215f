"""The probe (``control/probe.py``): a page of a tile's register space, whatever the queue does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.control.registers import PROBE_WORDS

from ..network import CONTROL, tile_node
from ..timing import TIMING

if TYPE_CHECKING:
    from ..target import ModelTarget
    from ..tile import Tile

__all__ = ["Probe"]


class Probe:
    """``valid`` and ``words`` of the last probe. A tile outside the mesh is not asked."""

    def __init__(self, chip: ModelTarget) -> None:
        self.chip = chip
        self.valid = False
        self.words = [0] * PROBE_WORDS
        self._serial = 0

    def start(self, target: int) -> None:
        """The host has written PROBE (tile x in 3:0, y in 7:4, page in 15:8)."""
        self._serial += 1
        self.valid = False
        tile = self.chip.tile_at(target & 15, target >> 4 & 15)
        if tile is None:
            return
        network = self.chip.network
        flits = network.request_header_flits
        page, serial, events = target >> 8 & 255, self._serial, self.chip.events
        network.outbox("request", CONTROL).post(
            events.now + TIMING.probe_header,
            network.route("request", CONTROL, tile_node(tile.x, tile.y)),
            flits,
            lambda head: events.at(head + flits - 1, self._sample, serial, tile, page),
        )

    def _sample(self, serial: int, tile: Tile, page: int) -> None:
        raw = tile.page(page)
        network = self.chip.network
        node, events = tile_node(tile.x, tile.y), self.chip.events
        flits = network.response_header_flits + -(-len(raw) // self.chip.config.flit_bytes)
        network.outbox("response", node).post(
            events.now,
            network.route("response", node, CONTROL),
            flits,
            lambda head: events.at(head + flits, self._answer, serial, raw),
        )

    def _answer(self, serial: int, raw: bytes) -> None:
        if serial != self._serial:
            return
        self.words = [int.from_bytes(raw[4 * i : 4 * i + 4], "little") for i in range(PROBE_WORDS)]
        self.valid = True
