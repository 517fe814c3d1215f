"""The hardware's event counters, read from the tiles' status pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_hw.control.registers import PROBE_WORDS
from weft_hw.tile.status import COUNTERS

from .hang import probe

if TYPE_CHECKING:
    from .device import Device

__all__ = ["read_counters"]

_WORDS = 2  # of 32 bits in a counter


def read_counters(device: Device) -> dict[str, int]:
    """Counts since chip reset, summed over all tiles: name (``tile.status.COUNTERS``) -> count.
    Takes device cycles.
    """
    mesh = device.config.mesh
    pages = -(-len(COUNTERS) * _WORDS // PROBE_WORDS)
    totals = dict.fromkeys((name for name, _ in COUNTERS), 0)
    for y in range(mesh.rows):
        for x in range(mesh.cols):
            words: list[int] = []
            for page in range(1, 1 + pages):
                page_words = probe(device.target, device.registers, (x, y), page)
                if page_words is None:
                    raise RuntimeError(f"tile ({x}, {y}) must answer a probe, but does not")
                words += page_words
            for number, name in enumerate(totals):
                totals[name] += words[_WORDS * number] | words[_WORDS * number + 1] << 32
    return totals
