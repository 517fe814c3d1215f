"""The register map of a chip, as data.

Hardware, driver, models and generated documents walk the same list. 32-bit registers on AXI4-Lite,
byte offsets. A 64-bit quantity is two registers, ``_LO`` and ``_HI``; reading ``_LO`` of a running
counter latches ``_HI``.
"""

from dataclasses import dataclass

from amaranth.hdl import unsigned

from ..config import FORMATS, ChipConfig
from ..enums import enum

__all__ = [
    "ADDRESS_BITS",
    "IDENTITY",
    "PROBE_WORDS",
    "VERSION",
    "WINDOW_PAGE_BYTES",
    "WINDOW_READ",
    "WINDOW_WRITE",
    "Access",
    "Interrupt",
    "QueueState",
    "Register",
    "capabilities",
    "constants",
    "register_map",
]

#: Bits of a register byte address.
ADDRESS_BITS = 12
#: "WEFT" in ASCII, little-endian.
IDENTITY = int.from_bytes(b"WEFT", "little")
#: Interface version: major in bits 31:16, minor below. A driver refuses another major.
VERSION = 0x0001_0000
#: Windows are granted in pages.
WINDOW_PAGE_BYTES = 4096
WINDOW_READ, WINDOW_WRITE = 1, 2
#: 32-bit words that a probe of a tile returns (one 64-byte page).
PROBE_WORDS = 16


class QueueState(enum.Enum, shape=unsigned(3)):
    """STATUS bits 2:0."""

    DISABLED = 0
    """CONTROL.enable is 0; the ring is not read."""
    RUNNING = 1
    FAILED = 2
    """A command failed and the chip is aborting those in flight."""
    HALTED = 3
    """Everything in flight has ended; a queue reset makes the device usable again."""
    RESETTING = 4
    """A queue reset waits for commands in flight to end."""


class Interrupt(enum.Flag, shape=unsigned(2)):
    """Bits of INTERRUPT_ENABLE and INTERRUPT_STATUS."""

    COMPLETION = 1
    ERROR = 2


class Access(enum.Enum, shape=unsigned(2)):
    READ_ONLY = 0
    READ_WRITE = 1
    WRITE_ONE_CLEARS = 2
    COMMAND = 3
    """Writing acts, reading gives zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One register. ``reset`` is its value after chip reset (of constants: their value)."""

    name: str
    offset: int
    access: Access
    reset: int = 0
    doc: str


def capabilities(config: ChipConfig) -> dict[str, int]:
    """The constant words from which a driver discovers the configuration."""
    tile, mesh, host = config.tile, config.mesh, config.host
    formats = sum(1 << i for i, name in enumerate(FORMATS) if name in tile.formats)
    return {
        "CAP_MESH": mesh.cols | mesh.rows << 8 | mesh.memory_endpoints << 16 | host.windows << 24,
        "CAP_ARRAY": tile.array_rows | tile.array_cols << 16,
        "CAP_FORMATS": formats,
        "CAP_SCRATCHPAD": tile.scratchpad_kib | tile.scratchpad_banks << 24,
        "CAP_ACCUMULATOR": tile.accumulator_kib | tile.accumulator_banks << 24,
        "CAP_QUEUES": tile.command_queue_depth | tile.load_requests << 8 | tile.store_requests << 16
        | tile.semaphores << 24,
        "CAP_HOST": host.address_bits | (host.max_in_flight.bit_length() - 1) << 8
        | (host.max_ring_entries.bit_length() - 1) << 16 | config.flit_bytes << 24,
        "CAP_NETWORK": mesh.max_packet_bytes | mesh.router_fifo_depth << 16,
        "CAP_VECTOR": tile.microprogram_entries,
        "CAP_LOADER": tile.transpose | tile.tensor_loads << 1,
    }


def constants(config: ChipConfig) -> dict[str, int]:
    """Registers whose value never changes: identity, version and capabilities."""
    return {"IDENTITY": IDENTITY, "VERSION": VERSION, **capabilities(config)}


def register_map(config: ChipConfig) -> tuple[Register, ...]:
    """All registers of a chip, by rising offset."""
    ro, rw, w1c, cmd = Access.READ_ONLY, Access.READ_WRITE, Access.WRITE_ONE_CLEARS, Access.COMMAND
    rows = [
        (0x000, "IDENTITY", ro, IDENTITY, '"WEFT"'),
        (0x004, "VERSION", ro, VERSION, "Interface version, major << 16 | minor"),
        *((0x008 + 4 * i, name, ro, value, "Capability word, see capabilities()")
          for i, (name, value) in enumerate(capabilities(config).items())),
        (0x040, "CONTROL", rw, 0, "Bit 0 enable: run the ring"),
        (0x044, "RESET", cmd, 0, "Write 1: abort what is in flight, clear semaphores, error, head "
                                 "and tail; STATUS goes to RESETTING, then DISABLED"),
        (0x048, "STATUS", ro, 8, "QueueState in bits 2:0; bit 3 the queue is idle (nothing fetched "
                                 "is unfinished)"),
        (0x04C, "QUEUE_BASE_LO", rw, 0, "Ring base address, a multiple of 64"),
        (0x050, "QUEUE_BASE_HI", rw, 0, ""),
        (0x054, "QUEUE_LOG2", rw, 0, "Log2 of the ring's entries"),
        (0x058, "HEAD", ro, 0, "Commands fetched since reset, free-running"),
        (0x05C, "TAIL", rw, 0, "Doorbell: commands submitted since reset, free-running"),
        (0x060, "COMPLETION_BASE_LO", rw, 0, "Completion records' base, a multiple of 64"),
        (0x064, "COMPLETION_BASE_HI", rw, 0, ""),
        (0x068, "COMPLETION_LOG2", rw, 0, "Log2 of the completion records"),
        (0x06C, "SEQUENCE", ro, 0, "Sequence of the last fence whose record is written"),
        (0x070, "ERROR_STATUS", ro, 0, "Status (isa.Status) of the first failed command; 0 if "
                                       "none"),
        (0x074, "ERROR_INDEX", ro, 0, "Its ring index, free-running"),
        (0x078, "ERROR_SOURCE", ro, 0, "Its engine in bits 1:0, tile x in 7:4, tile y in 11:8; bit "
                                       "31 set if found by the control node itself"),
        (0x07C, "INTERRUPT_ENABLE", rw, 0, "Interrupt bits that drive the interrupt line"),
        (0x080, "INTERRUPT_STATUS", w1c, 0, "Interrupt bits seen"),
        (0x084, "WATCHDOG", rw, 0, "Cycles without a completion, with commands or host accesses in "
                                   "flight, that count as a hang; 0 is off"),
        (0x088, "IN_FLIGHT", ro, 0, "Commands dispatched and not completed"),
        (0x08C, "COMPLETED", ro, 0, "Commands completed since reset, fences included, "
                                    "free-running"),
        (0x090, "CYCLE_LO", ro, 0, "Cycles since chip reset"),
        (0x094, "CYCLE_HI", ro, 0, ""),
        (0x098, "DOORBELL_CYCLE_LO", ro, 0, "CYCLE when TAIL was last written"),
        (0x09C, "DOORBELL_CYCLE_HI", ro, 0, ""),
        (0x0A0, "PROBE", rw, 0, "Write: read a page of a tile's register space (tile x in 3:0, y "
                                "in 7:4, page in 15:8)"),
        (0x0A4, "PROBE_VALID", ro, 0, "1 when PROBE_DATA holds the answer to the last PROBE"),
        *((0x0C0 + 4 * i, f"PROBE_DATA_{i}", ro, 0, "Word of the page")
          for i in range(PROBE_WORDS)),
    ]
    for i in range(config.host.windows):
        base = 0x200 + 0x10 * i
        rows += [
            (base, f"WINDOW_{i}_BASE", rw, 0, "First page (4 KiB) granted"),
            (base + 4, f"WINDOW_{i}_LIMIT", rw, 0, "First page beyond"),
            (base + 8, f"WINDOW_{i}_ACCESS", rw, 0, "Bit 0 read, bit 1 write"),
        ]
    return tuple(Register(offset=offset, name=name, access=access, reset=reset, doc=doc)
                 for offset, name, access, reset, doc in rows)
