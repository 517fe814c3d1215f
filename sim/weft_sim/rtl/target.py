"""``RtlTarget``: the compiled chip as a device under the driver.

Timing contract. The harness is a synchronous circuit beside the chip: in each cycle it drives
inputs that depend on its state alone, lets combinational logic settle, samples the chip's
outputs and takes the handshakes, then gives the clock edge. Cycle 0 is the first after reset.
``cycle`` counts edges since then; an event (a handshake, an engine's start) carries the number
of the cycle in which it was sampled. The interrupt line is looked at between cycles.
"""

import os
import threading
import weakref
from pathlib import Path

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.verilog import Verilog

from ..dram import Dram
from ..target import check_cycles, check_offset, check_word, device_bytes
from .build import build
from .cache import build_root
from .design import chip_design
from .errors import RtlError
from .library import Chip

__all__ = ["RtlTarget"]

#: Cycles between two looks at pending signals: Ctrl-C is served within a fraction of a second.
_SLICE_CYCLES = 4096


class RtlTarget:
    """A compiled chip with its memory; ``weft_sim.target.Target`` says what each method means.

    Parameters
    ----------
    config : ChipConfig
        The chip, built if it is not in the cache (a progress line tells).
    dram : Dram
        The memory behind its ports.
    build_dir : path or None
        Where builds are kept; None is ``weft_sim.rtl.cache.build_root()``.
    vcd : path or None
        Write a waveform of everything to this file (its own build, much slower).
    design : Verilog or None
        Another chip with the same top-level ports in place of ``weft_hw.chip.Chip(config)``.
    memory : (dram.size_bytes,) ndarray of uint8, or None
        Bytes to use in place of new ones, as of a file that others map too.

    Raises
    ------
    TypeError, ValueError
        for a wrong argument.
    ToolchainError, BuildError
        if it cannot be built.
    AxiProtocolError, HardwareAssertionError, RegisterError
        later, from the methods that run cycles. After one of the first two the chip must be reset.
    """

    def __init__(
        self,
        config: ChipConfig,
        dram: Dram,
        *,
        build_dir: str | os.PathLike | None = None,
        vcd: str | os.PathLike | None = None,
        design: Verilog | None = None,
        memory: np.ndarray | None = None,
    ) -> None:
        if not isinstance(config, ChipConfig):
            raise TypeError(f"config must be a ChipConfig, not {config!r}")
        if not isinstance(dram, Dram):
            raise TypeError(f"dram must be a Dram, not {dram!r}")
        self.config = config
        self.dram = dram
        root = build_root() if build_dir is None else Path(build_dir)
        library = build(
            chip_design(config, root) if design is None else design,
            config.name,
            vcd=vcd is not None,
            root=root,
        )
        self.memory = device_bytes(dram, memory)
        self._lock = threading.Lock()
        self._chip: Chip | None = Chip(
            library, self.memory, dram, None if vcd is None else Path(vcd)
        )
        self._finalizer = weakref.finalize(self, self._chip.close)

    @property
    def cycle(self) -> int:
        return self._open().cycle()

    def read_register(self, offset: int) -> int:
        with self._lock:
            return self._open().read_register(check_offset(offset))

    def write_register(self, offset: int, value: int) -> None:
        value = check_word(value)
        with self._lock:
            self._open().write_register(check_offset(offset), value)

    def run(self, max_cycles: int) -> bool:
        left = check_cycles(max_cycles)
        with self._lock:
            chip = self._open()
            while True:
                interrupted = chip.run(min(left, _SLICE_CYCLES))
                left -= _SLICE_CYCLES
                if interrupted or left <= 0:
                    return interrupted

    def set_tracing(self, enabled: bool) -> None:
        with self._lock:
            self._open().set_tracing(enabled)

    def trace(self) -> np.ndarray:
        with self._lock:
            return self._open().trace()

    def statistics(self) -> dict[str, int]:
        with self._lock:
            return self._open().statistics()

    def reset(self) -> None:
        with self._lock:
            self._open().reset()

    def close(self) -> None:
        with self._lock:
            self._chip = None
            self._finalizer()

    def __enter__(self) -> "RtlTarget":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Chip:
        if self._chip is None:
            raise RtlError("the target is closed; make another one")
        return self._chip
