"""Frames as ``weft_hw.uart.protocol`` describes them: packing requests, finding replies in what
arrives."""

from __future__ import annotations

import binascii

from weft_hw.uart.protocol import (
    CRC_START,
    END,
    ESCAPE,
    ESCAPED_END,
    ESCAPED_ESCAPE,
    HEADER_BYTES,
    Header,
    Operation,
    ReplyStatus,
)

__all__ = ["STATUS_NAMES", "FrameReader", "frame", "request"]

#: The name of a reply's status.
STATUS_NAMES = {each.value: name for name, each in ReplyStatus.__members__.items()}
_OPERATIONS = {name: each.value for name, each in Operation.__members__.items()}

_ESCAPES = {END: bytes((ESCAPE, ESCAPED_END)), ESCAPE: bytes((ESCAPE, ESCAPED_ESCAPE))}
_CRC_BYTES = 2
#: A tag and a status at least.
_MIN_BYTES = 2 + _CRC_BYTES


def frame(content: bytes) -> bytes:
    """``content`` with its CRC, escaped, between two ENDs."""
    whole = content + binascii.crc_hqx(content, CRC_START).to_bytes(_CRC_BYTES, "big")
    # ESC first: what replaces END has one
    for byte in (ESCAPE, END):
        whole = whole.replace(bytes((byte,)), _ESCAPES[byte])
    return bytes((END,)) + whole + bytes((END,))


def request(operation: str, tag: int, address: int = 0, count: int = 0, data: bytes = b"") -> bytes:
    """The frame of a request; ``operation`` is a name of ``Operation``."""
    fields = {"operation": _OPERATIONS[operation], "tag": tag, "address": address, "count": count}
    header = Header.as_shape().const(fields).as_value().value
    return frame(header.to_bytes(HEADER_BYTES, "little") + data)


class FrameReader:
    """Collects bytes and gives back the contents of whole frames; broken ones are counted in
    ``broken``."""

    def __init__(self) -> None:
        self._rest = b""
        self.broken = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The contents, CRC removed, of the frames that ``data`` completes."""
        *pieces, self._rest = (self._rest + data).split(bytes((END,)))
        contents = []
        for piece in pieces:
            if not piece:
                continue
            for byte in (END, ESCAPE):
                piece = piece.replace(_ESCAPES[byte], bytes((byte,)))
            if len(piece) < _MIN_BYTES or binascii.crc_hqx(piece, CRC_START) != 0:
                self.broken += 1
            else:
                contents.append(piece[:-_CRC_BYTES])
        return contents
