"""Requests and their replies over a port, with another try where one is lost."""

from __future__ import annotations

import time
from dataclasses import dataclass

from weft_hw.uart.protocol import END, MAGIC, PROTOCOL_VERSION, Info

from .errors import SerialError
from .frames import STATUS_NAMES, FrameReader, request
from .port import Port

__all__ = ["BoardInfo", "Link"]

_ATTEMPTS = 4
_TAGS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardInfo:
    """What the bridge says of itself (``weft_hw.uart.protocol.Info``)."""

    magic: int
    version: int
    word_bytes: int
    memory_bytes: int
    clock_hz: int
    max_data: int


class Link:
    """The bridge's operations as calls.

    Parameters
    ----------
    port : Port
        Open; closed by ``close``.
    timeout_s : float
        How long to wait for each of four tries.

    ``retries`` counts the requests that had to be sent again.

    Raises
    ------
    SerialError
        if nobody answers, it is no Weft board, or it refuses a request.
    """

    def __init__(self, port: Port, timeout_s: float) -> None:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, not {timeout_s}")
        self._port = port
        self._timeout_s = timeout_s
        self._tag = 0
        self.retries = 0
        try:
            self.info = self._info()
        except BaseException:
            port.close()
            raise

    def _info(self) -> BoardInfo:
        layout = Info.as_shape()
        answer = self._call("INFO", size=layout.size // 8)
        fields = layout.from_bits(int.from_bytes(answer, "little"))
        info = BoardInfo(**{name: int(getattr(fields, name)) for name in layout.members})
        if info.magic != MAGIC or info.version != PROTOCOL_VERSION:
            raise SerialError(
                f"{self._port.path} must speak version {PROTOCOL_VERSION} of the bridge's "
                f"protocol, not version {info.version} (magic 0x{info.magic:08x}); load the "
                "bitstream that belongs to this driver"
            )
        return info

    def read_register(self, offset: int) -> int:
        """A 32-bit register."""
        return int.from_bytes(self._call("READ_REGISTER", offset, size=4), "little")

    def write_register(self, offset: int, value: int) -> None:
        """A 32-bit register."""
        self._call("WRITE_REGISTER", offset, value)

    def read_memory(self, address: int, size: int) -> bytes:
        """``size`` bytes of device memory."""
        pieces = []
        for start in range(address, address + size, self.info.max_data):
            count = min(self.info.max_data, address + size - start)
            pieces.append(self._call("READ_MEMORY", start, count, size=count))
        return b"".join(pieces)

    def write_memory(self, address: int, data: bytes) -> None:
        """Bytes to device memory."""
        for start in range(0, len(data), self.info.max_data):
            piece = data[start : start + self.info.max_data]
            self._call("WRITE_MEMORY", address + start, len(piece), piece)

    def clear_memory(self, address: int, size: int) -> None:
        """Zeros to device memory."""
        self._call("CLEAR_MEMORY", address, size)

    def wait(self, cycles: int) -> bool:
        """Waits on the board until the interrupt is high or ``cycles`` have passed; says whether it
        is."""
        return self._call("WAIT", 0, cycles, size=1) != b"\0"

    def reset(self) -> None:
        """Chip reset."""
        self._call("RESET")

    def close(self) -> None:
        """Closes the port."""
        self._port.close()

    def _call(
        self,
        operation: str,
        address: int = 0,
        count: int = 0,
        data: bytes = b"",
        size: int = 0,
    ) -> bytes:
        """The data, ``size`` bytes, of the reply to a request."""
        self._tag = self._tag % (_TAGS - 1) + 1
        # an END alone ends whatever the bridge may be in the middle of
        sent = bytes((END,)) + request(operation, self._tag, address, count, data)
        heard, reader = 0, FrameReader()
        for attempt in range(_ATTEMPTS):
            self.retries += attempt > 0
            deadline = time.monotonic() + self._timeout_s
            reader.broken, spoiled = 0, False
            try:
                self._port.write(sent, deadline)
                while received := self._port.read(deadline):
                    heard += len(received)
                    for answer in reader.feed(received):
                        status = STATUS_NAMES.get(answer[-1])
                        if answer[0] == self._tag and status != "BAD_FRAME":
                            return self._data(operation, address, answer, size)
                        spoiled = spoiled or status == "BAD_FRAME"
                    if reader.broken or spoiled:
                        break
            except TimeoutError:
                continue
        raise SerialError(self._silence(operation, heard))

    def _data(self, operation: str, address: int, answer: bytes, size: int) -> bytes:
        status = STATUS_NAMES.get(answer[-1], f"status {answer[-1]}")
        if status != "OKAY":
            raise SerialError(f"the board refused {operation} at 0x{address:x}: {status}")
        content = answer[1:-1]
        if len(content) != size:
            raise SerialError(
                f"the board must answer {operation} with {size} bytes, not {len(content)}; "
                "load the bitstream that belongs to this driver"
            )
        return content

    def _silence(self, operation: str, heard: int) -> str:
        what = "nobody answers" if heard == 0 else f"no valid answer among {heard} bytes"
        return (
            f"{what} on {self._port.path} ({operation}, {_ATTEMPTS} tries of "
            f"{self._timeout_s:g} s); is the board programmed and powered, and is this its port "
            "and speed?"
        )
