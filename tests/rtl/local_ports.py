"""Agents that are a local memory to a design: what reads and writes of its ports meet."""

from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.memory.port import WriteBeat
from weft_sim.bench import Bench, StreamSink

__all__ = ["ReadMemory", "WriteMemory"]


class ReadMemory(StreamSink):
    """Serves a read port from ``rows`` two cycles after each grant; other responses are garbage."""

    def __init__(self, bench: Bench, name: str, rows: np.ndarray, **more: Any):
        self.rows = rows
        self._granted: bytes | None = None
        self._answered = True
        self._response_valid = bench.port(f"{name}__response__valid")
        self._response = bench.port(f"{name}__response__payload")
        self._garbage = int.from_bytes(bench.rng.bytes(rows[0].nbytes), "little")
        super().__init__(bench, f"{name}__request", **more)

    def step(self) -> None:
        data, self._granted = self._granted, None
        if data is not None:
            self._response_valid.value = 1
            self._response.value = int.from_bytes(data, "little")
        elif self._answered:
            self._response_valid.value = 0
            self._response.value = self._garbage
        self._answered = data is not None
        super().step()

    def _transfer(self, bits: int) -> None:
        super()._transfer(bits)
        self._granted = self.rows[bits].tobytes()

    def reset(self) -> None:
        super().reset()
        self._granted = None
        self._answered = True


class WriteMemory(StreamSink):
    """Takes a write port's rows into ``rows``."""

    def __init__(self, bench: Bench, name: str, config: ChipConfig, rows: np.ndarray, **more: Any):
        self.rows = rows
        tile = config.tile
        self.parts = tile.write_parts
        beat = WriteBeat(rows=tile.scratchpad_rows, row_bits=8 * tile.row_bytes, parts=self.parts)
        super().__init__(bench, f"{name}__request", beat, **more)

    def _transfer(self, bits: int) -> None:
        super()._transfer(bits)
        beat = self._unpack(bits)
        raw = int(beat["data"]).to_bytes(self.rows.shape[1], "little")
        mask = beat["mask"] if self.parts > 1 else 1
        row = self.rows[beat["row"]].reshape(self.parts, -1)
        for part, data in enumerate(np.frombuffer(raw, np.uint8).reshape(self.parts, -1)):
            if mask >> part & 1:
                row[part] = data
