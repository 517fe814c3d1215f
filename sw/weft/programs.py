"""Which microprograms are in the stores of the tiles' vector engines; loads those that are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from weft_hw.isa import Opcode

from .compiler.program import Step

if TYPE_CHECKING:
    from .device import Device
    from .microcode import Program

__all__ = ["ProgramStore"]

_WORD_BYTES = 8


class ProgramStore:
    """The stores of a device's tiles. A program lies at the same entries in every tile; when there
    is no room, those placed longest ago give way.

    Commands of the user's own that load programs make it forget what the tiles held (``forget``),
    and so does a reset of the queue.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._entries = device.config.tile.microprogram_entries
        self._next = 0
        # words -> (first entry, entries)
        self._places: dict[bytes, tuple[int, int]] = {}
        self._loaded: dict[tuple[int, int], set[bytes]] = {}
        self._resets = device.queue.resets

    def forget(self) -> None:
        """Nothing is known of what the stores hold."""
        self._loaded.clear()

    def require(
        self, programs: Sequence[Program], tiles: Iterable[tuple[int, int]]
    ) -> tuple[int, ...]:
        """First entries of ``programs``; submits what loads them to ``tiles`` where they are not.

        Raises
        ------
        ValueError
            if the chip has no vector processor, or its store cannot hold all of them at once.
        """
        config = self._device.config
        if not config.tile.has_float:
            raise ValueError(
                f"{config.name} must be built with a floating-point format to run microprograms, "
                f"not only {', '.join(config.tile.formats)}; use a preset that has one"
            )
        if self._resets != self._device.queue.resets:
            self._resets = self._device.queue.resets
            self.forget()
        total = sum(len(program) for program in programs)
        if total > self._entries:
            names = " and ".join(program.name for program in programs)
            raise ValueError(
                f"{names} must fit the {self._entries} entries of the microprogram store of "
                f"{config.name}, not {total}; use a shorter program or a configuration with more "
                "microprogram_entries"
            )
        keys = [program.to_bytes() for program in programs]
        self._place(keys)
        missing = {
            tile: [key for key in keys if key not in self._loaded.get(tile, ())] for tile in tiles
        }
        if any(missing.values()):
            self._load(missing)
        return tuple(self._places[key][0] for key in keys)

    def _place(self, wanted: list[bytes]) -> None:
        """Gives every program its entries; others than those wanted give way."""
        for key in wanted:
            if key in self._places:
                continue
            start = self._room(len(key) // _WORD_BYTES, wanted)
            if start is None:
                # those that stay lie in the way everywhere: place all of them afresh
                for other in wanted:
                    self._drop(other)
                start = 0
                for other in wanted:
                    start = self._put(other, start)
                return
            self._put(key, start)

    def _put(self, key: bytes, start: int) -> int:
        """Places a program; the entry after it."""
        end = start + len(key) // _WORD_BYTES
        for other, (first, length) in list(self._places.items()):
            if first < end and start < first + length:
                self._drop(other)
        self._places[key] = (start, end - start)
        self._next = end
        return end

    def _room(self, count: int, wanted: list[bytes]) -> int | None:
        """Entries after the last placed, else the first, that no wanted program uses."""
        kept = [self._places[key] for key in wanted if key in self._places]
        for start in (self._next, 0, *(first + length for first, length in kept)):
            if start + count <= self._entries and all(
                start + count <= first or first + length <= start for first, length in kept
            ):
                return start
        return None

    def _drop(self, key: bytes) -> None:
        self._places.pop(key, None)
        for held in self._loaded.values():
            held.discard(key)

    def _load(self, missing: Mapping[tuple[int, int], Sequence[bytes]]) -> None:
        """Loads to each tile the programs it lacks, through the scratchpad, whose content nobody
        needs between submissions. All tiles in one submission: they load beside each other.
        """
        steps: list[Step] = []
        row_bytes = self._device.config.tile.row_bytes
        wanted = dict.fromkeys(key for keys in missing.values() for key in keys)
        buffers = {key: self._device.array(np.frombuffer(key, np.uint8).copy()) for key in wanted}
        for tile, keys in missing.items():
            endpoint = tile[1] % self._device.config.mesh.memory_endpoints
            row = 0
            for key in keys:
                load = Step(
                    Opcode.LOAD,
                    tile,
                    {
                        "memory_address": buffers[key].address,
                        "memory_stride": len(key),
                        "row_bytes": len(key),
                        "rows": 1,
                        "local_row": row,
                        "endpoint": endpoint,
                    },
                )
                start, count = self._places[key]
                program = Step(
                    Opcode.PROGRAM, tile, {"row": row, "count": count, "start": start}, (load,)
                )
                steps += [load, program]
                row += -(-len(key) // row_bytes)
        self._device.run_steps(
            steps, name="microprograms", keep=tuple(buffers.values()), result=None
        )
        for tile, keys in missing.items():
            self._loaded.setdefault(tile, set()).update(keys)
