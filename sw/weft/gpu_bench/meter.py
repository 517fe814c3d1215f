"""Board power through NVML; the module (`pynvml`) is passed in.

Energy comes from the board's own counter where it has one (Volta and later), else from power
samples taken in a thread.
"""

import threading
import time
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any

from weft.gpu_bench.errors import GpuBenchError

__all__ = ["NvmlMeter", "PowerSample"]

POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class PowerSample:
    """Energy of an interval."""

    joules: float
    seconds: float
    method: str
    """`counter` (the board's energy counter) or `samples` (mean of power readings)."""

    @property
    def watts(self) -> float:
        """Mean power."""
        return self.joules / self.seconds


class _Interval:
    """Context manager that fills `sample` when it ends."""

    def __init__(self, meter: "NvmlMeter") -> None:
        self._meter = meter
        self._watts: list[float] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.sample: PowerSample | None = None

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._watts.append(self._meter.watts())
            self._stop.wait(POLL_S)

    def __enter__(self) -> "_Interval":
        self._start_j = self._meter.counter_j()
        if self._start_j is None:
            self._thread = threading.Thread(target=self._poll, daemon=True)
            self._thread.start()
        self._start_s = self._meter.clock()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = self._meter.clock() - self._start_s
        end_j = self._meter.counter_j()
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
        if self._start_j is not None and end_j is not None:
            self.sample = PowerSample(end_j - self._start_j, seconds, "counter")
        else:
            mean = sum(self._watts) / max(1, len(self._watts))
            self.sample = PowerSample(mean * seconds, seconds, "samples")


class NvmlMeter:
    """Power, energy, clocks and limit of one board.

    Raises
    ------
    GpuBenchError
        if the driver has no such board.
    """

    def __init__(
        self, nvml: ModuleType | Any, device: int = 0, clock: Any = time.monotonic
    ) -> None:
        self._nvml = nvml
        self.clock = clock
        try:
            nvml.nvmlInit()
            self._handle = nvml.nvmlDeviceGetHandleByIndex(device)
        except nvml.NVMLError as error:
            raise GpuBenchError(f"the driver offers no board {device} to NVML: {error}") from error
        self._has_counter = self._try_counter() is not None

    def _try_counter(self) -> float | None:
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) * 1e-3
        except self._nvml.NVMLError:
            return None

    def counter_j(self) -> float | None:
        """Joules since the driver was loaded; None where the board does not count."""
        return self._try_counter() if self._has_counter else None

    def watts(self) -> float:
        """Board power now."""
        return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) * 1e-3

    def limit_w(self) -> float:
        """Power limit in force."""
        return float(self._nvml.nvmlDeviceGetEnforcedPowerLimit(self._handle)) * 1e-3

    def sm_clock_mhz(self) -> float:
        """SM clock now."""
        sm = self._nvml.NVML_CLOCK_SM
        return float(self._nvml.nvmlDeviceGetClockInfo(self._handle, sm))

    def driver(self) -> str:
        """Version of the driver."""
        text = self._nvml.nvmlSystemGetDriverVersion()
        return text.decode() if isinstance(text, bytes) else str(text)

    def interval(self) -> _Interval:
        """`with meter.interval() as i: ...`, then `i.sample`."""
        return _Interval(self)

    def close(self) -> None:
        """Release NVML."""
        self._nvml.nvmlShutdown()
