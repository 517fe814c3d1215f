"""The C interface of a compiled chip (``harness/api.cpp``). Calls release the interpreter lock."""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from ..dram import Dram
from ..target import TRACE_DTYPE
from .errors import AxiProtocolError, HardwareAssertionError, RegisterError, RtlError

__all__ = ["Chip"]

#: ``weft::Status`` of failure.h
_ERRORS: dict[int, type[RtlError]] = {
    1: AxiProtocolError,
    2: HardwareAssertionError,
    3: RegisterError,
    4: RegisterError,
    5: RtlError,
}


class _DramParameters(ctypes.Structure):
    """``weft::DramParameters`` of dram.h."""

    _fields_ = [
        (name, c_uint64)
        for name in (
            "size_bytes",
            "latency_cycles",
            "bytes_per_cycle",
            "stall_threshold",
            "stall_seed",
            "error_base",
            "error_limit",
        )
    ]


_COUNTS = (
    "bytes_read",
    "bytes_written",
    "beats_read",
    "beats_written",
    "last_write_response_cycle",
)


class _Statistics(ctypes.Structure):
    """``weft::Statistics`` of statistics.h."""

    _fields_ = [(name, c_uint64) for name in _COUNTS]


_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "weft_create": (c_void_p, []),
    "weft_open": (c_int, [c_void_p, c_void_p, POINTER(_DramParameters), c_char_p]),
    "weft_destroy": (None, [c_void_p]),
    "weft_message": (c_char_p, [c_void_p]),
    "weft_reset": (c_int, [c_void_p]),
    "weft_run": (c_int, [c_void_p, c_uint64, POINTER(c_int)]),
    "weft_read_register": (c_int, [c_void_p, c_uint32, POINTER(c_uint32)]),
    "weft_write_register": (c_int, [c_void_p, c_uint32, c_uint32]),
    "weft_cycle": (c_uint64, [c_void_p]),
    "weft_set_tracing": (None, [c_void_p, c_int]),
    "weft_trace": (c_void_p, [c_void_p, POINTER(c_uint64)]),
    "weft_statistics": (None, [c_void_p, POINTER(_Statistics), POINTER(_Statistics)]),
}


class Chip:
    """One simulated chip. ``memory`` is used in place and must live as long as this does."""

    def __init__(self, library: Path, memory: np.ndarray, dram: Dram, vcd: Path | None) -> None:
        self._c = ctypes.CDLL(str(library))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._c, name)
            function.restype, function.argtypes = result, arguments
        self._memory = memory
        self._handle = self._c.weft_create()
        parameters = _DramParameters(
            size_bytes=dram.size_bytes,
            latency_cycles=dram.latency_cycles,
            bytes_per_cycle=dram.bytes_per_cycle or 0,
            stall_threshold=dram.stall_threshold,
            stall_seed=dram.stall_seed,
            error_base=dram.error_base,
            error_limit=dram.error_limit,
        )
        path = None if vcd is None else str(vcd).encode()
        try:
            self._call("weft_open", memory.ctypes.data_as(c_void_p), byref(parameters), path)
        except RtlError:
            self.close()
            raise

    def close(self) -> None:
        self._c.weft_destroy(self._handle)
        self._handle = None

    def reset(self) -> None:
        self._call("weft_reset")

    def run(self, max_cycles: int) -> bool:
        interrupt = c_int()
        self._call("weft_run", max_cycles, byref(interrupt))
        return bool(interrupt.value)

    def read_register(self, offset: int) -> int:
        value = c_uint32()
        self._call("weft_read_register", offset, byref(value))
        return value.value

    def write_register(self, offset: int, value: int) -> None:
        self._call("weft_write_register", offset, value)

    def cycle(self) -> int:
        return self._c.weft_cycle(self._handle)

    def set_tracing(self, enabled: bool) -> None:
        self._c.weft_set_tracing(self._handle, int(enabled))

    def trace(self) -> np.ndarray:
        count = c_uint64()
        events = self._c.weft_trace(self._handle, byref(count))
        size_bytes = count.value * TRACE_DTYPE.itemsize
        if size_bytes == 0:
            return np.empty(0, TRACE_DTYPE)
        return np.frombuffer(ctypes.string_at(events, size_bytes), TRACE_DTYPE)

    def statistics(self) -> dict[str, int]:
        memory, host = _Statistics(), _Statistics()
        self._c.weft_statistics(self._handle, byref(memory), byref(host))
        counts = {name: getattr(memory, name) for name in _COUNTS}
        return {
            **counts,
            "host_bytes_read": host.bytes_read,
            "host_bytes_written": host.bytes_written,
        }

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._c, name)(self._handle, *arguments)
        if status != 0:
            message = self._c.weft_message(self._handle).decode(errors="replace")
            raise _ERRORS[status](message)
