"""The bridge's protocol: what hardware and host both know. ``bridge.py`` carries it out,
``weft.serial`` speaks it.

A frame is ``END bytes END``, with END and ESC inside escaped as SLIP does (RFC 1055). Its last two
bytes are a CRC of those before (CRC-16, polynomial 0x1021, start 0xFFFF, high byte first). Other
numbers are little-endian. The host sends a request and waits for its reply; a tag of its choice
comes back with it.

Request: ``operation, tag, address (4), count (4), data``. Reply: ``tag, data, status``.

============== ============== ============== ============ =======================================
operation      address        count          request data reply data
============== ============== ============== ============ =======================================
INFO           -              -              -            ``Info``, 20 bytes
READ_REGISTER  byte offset    -              -            the register, 4 bytes
WRITE_REGISTER byte offset    the value      -            -
READ_MEMORY    first byte     bytes [1]_     -            the bytes, if status is OKAY
WRITE_MEMORY   first byte     bytes [1]_     the bytes    -
CLEAR_MEMORY   first byte     bytes          -            -; they are zero then
WAIT           -              cycles         -            1 byte: 1 if the interrupt is high, which
                                                          also ends the wait
RESET          -              -              -            -; the chip's, memory keeps its bytes
============== ============== ============== ============ =======================================

.. [1] At least one, at most ``MAX_DATA``.

Status other than OKAY: nothing was done, except after BUS. BAD_FRAME is answered with whatever tag
was received.

Resynchronisation: END always ends a frame, and what is not long enough to be one is dropped without
a reply. Bytes that arrive while a request is carried out are dropped together with the rest of
their frame. Doing a request twice does what doing it once does, so a host that hears nothing, or
rubbish, sends END and the request again.
"""

from amaranth.hdl import unsigned
from amaranth.lib import data, enum

__all__ = [
    "CRC_POLYNOMIAL",
    "CRC_START",
    "END",
    "ESCAPE",
    "ESCAPED_END",
    "ESCAPED_ESCAPE",
    "HEADER_BYTES",
    "MAGIC",
    "MAX_DATA",
    "PROTOCOL_VERSION",
    "Header",
    "Info",
    "Operation",
    "ReplyStatus",
]

#: Source of the four: RFC 1055, "A nonstandard for transmission of IP datagrams over serial lines:
#: SLIP".
END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
#: CRC-16 as of ITU-T V.41, started with ones; ``binascii.crc_hqx(data, CRC_START)``.
CRC_POLYNOMIAL, CRC_START = 0x1021, 0xFFFF
#: Bytes of a request before its data.
HEADER_BYTES = 10
#: Most bytes of memory in one request or reply.
MAX_DATA = 1024
#: "WUAR" in ASCII, little-endian.
MAGIC = int.from_bytes(b"WUAR", "little")
PROTOCOL_VERSION = 1


class Operation(enum.Enum, shape=unsigned(8)):
    INFO = 1
    READ_REGISTER = 2
    WRITE_REGISTER = 3
    READ_MEMORY = 4
    WRITE_MEMORY = 5
    CLEAR_MEMORY = 6
    WAIT = 7
    RESET = 8


class ReplyStatus(enum.Enum, shape=unsigned(8)):
    OKAY = 0
    BAD_FRAME = 1
    """The CRC is wrong."""
    BAD_REQUEST = 2
    """No such operation, or data that are not as long as it needs."""
    RANGE = 3
    """Outside the memory or the registers, or a register's offset that is no multiple of 4."""
    BUS = 4
    """The chip answered a register access with an error."""


class Header(data.Struct):
    """What a request begins with; the first field is its first byte."""

    operation: unsigned(8)
    tag: unsigned(8)
    address: unsigned(32)
    count: unsigned(32)


class Info(data.Struct):
    """What INFO answers; the first field is its first byte."""

    magic: unsigned(32)
    version: unsigned(16)
    word_bytes: unsigned(16)
    memory_bytes: unsigned(32)
    clock_hz: unsigned(32)
    max_data: unsigned(32)
