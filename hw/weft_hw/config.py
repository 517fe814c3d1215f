"""The one configuration object of a chip.

``ChipConfig`` drives RTL, register map, driver, cycle model, energy table and fleet model: nothing
downstream retypes a number. It is frozen, validated when built, and loads from and saves to TOML
(``weft_hw.toml_config``).

Capacities are in KiB (1,024 bytes), widths in bits or bytes as their names say, depths in entries.
"""

from dataclasses import dataclass, field, replace

__all__ = ["FLOAT_FORMATS", "FORMATS", "ChipConfig", "HostConfig", "MeshConfig", "TileConfig"]

#: What the array can be built to multiply: name -> bits of one operand. ``mxfp8`` adds block scales
#: (one E8M0 exponent for 32 operands along K) to the fp8 formats that are built in.
FORMATS = {"int8": 8, "int4": 4, "bf16": 16, "fp8e4m3": 8, "fp8e5m2": 8, "mxfp8": 8}

#: Of them, those with products in floating point and sums in fp32.
FLOAT_FORMATS = ("bf16", "fp8e4m3", "fp8e5m2", "mxfp8")

#: Bytes of one encoded command (see ``weft_hw.isa``).
COMMAND_BYTES = 64


def _require(ok, message):
    if not ok:
        raise ValueError(message)


def _integer(owner, name, low, high, *, power_of_two=False):
    value = getattr(owner, name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    _require(low <= value <= high, f"{name} must be between {low} and {high}, not {value}")
    if power_of_two:
        _require(value & (value - 1) == 0, f"{name} must be a power of two, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TileConfig:
    """One compute tile: array, local memories, engines."""

    array_rows: int
    """Processing elements along K; also the operands of the widest format in a scratchpad row."""
    array_cols: int
    """Processing elements along N; also the lanes of an accumulator row."""
    formats: tuple[str, ...] = ("int8",)
    """Operand formats built in, names from ``FORMATS``."""
    scratchpad_kib: int
    scratchpad_banks: int = 4
    """Banks by high address bits; each serves one read and one write a cycle."""
    accumulator_kib: int
    accumulator_banks: int = 2
    """Banks by high address bits: the vector engine drains one while the array fills another."""
    semaphores: int = 16
    """Counting semaphores that join the engines (fixed by the width of the command's masks)."""
    command_queue_depth: int = 8
    """Commands an engine may hold, waiting and running; the control node keeps the credits."""
    microprogram_entries: int = 256
    """Microinstructions that the vector engine's store holds."""
    load_requests: int = 64
    """Read requests one tile may have in flight."""
    store_requests: int = 32
    """Write requests one tile may have in flight."""
    tensor_loads: bool = True
    """Whether the load engine has nested loops, padding, fills and gathers, which convolutions,
    pooling and gathers need; without them it loads rows at a fixed distance."""
    transpose: bool = False
    """Whether it can transpose (``dma.transpose``: memory of 8 x row_bytes rows)."""

    def __post_init__(self):
        _integer(self, "array_rows", 4, 256, power_of_two=True)
        _integer(self, "array_cols", 4, 256, power_of_two=True)
        _require(self.array_rows == self.array_cols,
                 "array_rows must equal array_cols, because one scratchpad row feeds either side "
                 f"of the array, not {self.array_rows} and {self.array_cols}")
        _require(len(self.formats) > 0, "formats must name at least one operand format, not none")
        for name in self.formats:
            _require(name in FORMATS, f"formats must be among {', '.join(FORMATS)}, not {name!r}")
        _require(len(set(self.formats)) == len(self.formats),
                 f"formats must be distinct, not {self.formats}")
        _require("int8" in self.formats,
                 f"formats must contain int8, which every tile has, not only {self.formats}")
        _require("mxfp8" not in self.formats
                 or bool({"fp8e4m3", "fp8e5m2"} & set(self.formats)),
                 "formats must contain fp8e4m3 or fp8e5m2 for mxfp8, whose elements they are, "
                 f"not only {self.formats}")
        _require(not self.has_float or self.array_rows >= 8,
                 "array_rows must be at least 8 for floating-point formats, because an fp32 sum is "
                 f"back in the accumulator after 8 cycles, not {self.array_rows}")
        _integer(self, "scratchpad_kib", 1, 65536)
        _integer(self, "scratchpad_banks", 1, 16, power_of_two=True)
        _integer(self, "accumulator_kib", 1, 65536)
        _integer(self, "accumulator_banks", 2, 16, power_of_two=True)
        _integer(self, "semaphores", 16, 16)
        _integer(self, "command_queue_depth", 2, 64, power_of_two=True)
        _integer(self, "microprogram_entries", 16, 256, power_of_two=True)
        _integer(self, "load_requests", 2, 64, power_of_two=True)
        _integer(self, "store_requests", 2, 64, power_of_two=True)
        for name in ("tensor_loads", "transpose"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")
        _require(self.tensor_loads or not self.transpose,
                 "tensor_loads must be True for transpose, whose loads they are, not False")
        for name, rows, banks in (("scratchpad", self.scratchpad_rows, self.scratchpad_banks),
                                  ("accumulator", self.accumulator_rows, self.accumulator_banks)):
            _require(rows & (rows - 1) == 0,
                     f"{name}_kib must give a power of two of rows, not {rows}")
            _require(rows >= banks * 2 * self.array_rows,
                     f"{name}_kib must give every bank at least two blocks of {self.array_rows} "
                     f"rows, not {rows // banks} rows a bank")

    @property
    def has_float(self) -> bool:
        """Whether the array multiplies any floating-point format (and adds in fp32)."""
        return any(name in FLOAT_FORMATS for name in self.formats)

    @property
    def operand_bytes(self) -> int:
        """Bytes of the widest operand format built in."""
        return max(FORMATS[name] for name in self.formats) // 8

    @property
    def write_parts(self) -> int:
        """Parts of a scratchpad row that can be written alone: vectors of the narrowest format."""
        return 8 * self.operand_bytes // min(FORMATS[name] for name in self.formats)

    @property
    def row_bytes(self) -> int:
        """Bytes of a scratchpad row, of a flit and of an AXI beat."""
        return self.array_rows * self.operand_bytes

    @property
    def accumulator_row_bytes(self) -> int:
        """Bytes of an accumulator row: one 32-bit lane for each array column."""
        return 4 * self.array_cols

    @property
    def scratchpad_rows(self) -> int:
        return self.scratchpad_kib * 1024 // self.row_bytes

    @property
    def accumulator_rows(self) -> int:
        return self.accumulator_kib * 1024 // self.accumulator_row_bytes

    @property
    def column_sum_bits(self) -> int:
        """Bits of a partial sum inside the array: 32 with floating point; without it ``R`` products
        of two int8 fit, because ``R * (-128 * -128) = R * 2**14 <= 2**(15 + log2(R)) - 1`` in two's
        complement."""
        return 32 if self.has_float else 16 + (self.array_rows - 1).bit_length()

    @property
    def max_exact_k(self) -> int:
        """Largest K whose int8 sum fits int32: ``K * 2**14 <= 2**31 - 1``. Above it the driver
        splits K and the hardware would saturate; 65,535 is below it, so a matmul command never
        wraps."""
        return (2**31 - 1) // 2**14


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshConfig:
    """The network: ``cols x rows`` routers, a tile at each, memory endpoints on the west edge."""

    cols: int = 1
    rows: int = 1
    memory_endpoints: int = 1
    """AXI4 managers to memory, one on the west edge of each of the first rows."""
    router_fifo_depth: int = 4
    """Flits buffered at each router input (the credits of its upstream)."""
    max_packet_bytes: int = 512
    """Largest data payload of one read or write request."""

    def __post_init__(self):
        _integer(self, "cols", 1, 16)
        _integer(self, "rows", 1, 16)
        _integer(self, "memory_endpoints", 1, 16)
        _require(self.memory_endpoints <= self.rows,
                 f"memory_endpoints must be at most rows ({self.rows}), because each sits on the "
                 f"west edge of a row, not {self.memory_endpoints}")
        _integer(self, "router_fifo_depth", 2, 64, power_of_two=True)
        _integer(self, "max_packet_bytes", 64, 4096, power_of_two=True)

    @property
    def tiles(self) -> int:
        return self.cols * self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """Host port: registers, command ring, protection."""

    address_bits: int = 40
    """Bits of a memory byte address."""
    windows: int = 4
    """Access windows (base, limit, read, write), in pages of 4 KiB."""
    max_in_flight: int = 64
    """Commands dispatched to tiles and not completed."""
    max_ring_entries: int = 65536

    def __post_init__(self):
        _integer(self, "address_bits", 16, 64)
        _integer(self, "windows", 1, 16)
        _integer(self, "max_in_flight", 2, 1024, power_of_two=True)
        _integer(self, "max_ring_entries", 2, 1 << 20, power_of_two=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipConfig:
    """A whole chip. ``replace_tile`` and ``replace_mesh`` derive variants; ``presets`` has names.

    Raises
    ------
    TypeError, ValueError
        naming the quantity, the rule and the value.
    """

    name: str
    tile: TileConfig
    mesh: MeshConfig = field(default_factory=MeshConfig)
    host: HostConfig = field(default_factory=HostConfig)

    def __post_init__(self):
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a string, not {self.name!r}")
        _require(self.name.isidentifier(),
                 f"name must be a word of letters, digits and _, not {self.name!r}")
        for name, kind in (("tile", TileConfig), ("mesh", MeshConfig), ("host", HostConfig)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"{name} must be a {kind.__name__}, not {getattr(self, name)!r}")
        _require(self.tile.row_bytes <= 128,
                 "array_rows x operand bytes must be at most 128 (an AXI4 beat), "
                 f"not {self.tile.row_bytes}")
        _require(self.mesh.max_packet_bytes % self.tile.row_bytes == 0,
                 f"max_packet_bytes must be a multiple of the row of {self.tile.row_bytes} bytes, "
                 f"not {self.mesh.max_packet_bytes}")
        _require(not self.tile.transpose or self.mesh.max_packet_bytes >= 4 * self.tile.row_bytes,
                 f"max_packet_bytes must be at least 4 rows of {self.tile.row_bytes} bytes for "
                 f"transpose, not {self.mesh.max_packet_bytes}")
        _require(self.mesh.max_packet_bytes // self.tile.row_bytes <= 255,
                 f"max_packet_bytes must be at most 255 rows of {self.tile.row_bytes} bytes "
                 f"(an AXI4 burst), not {self.mesh.max_packet_bytes}")

    @property
    def flit_bytes(self) -> int:
        """Bytes of a flit and of an AXI4 beat: a scratchpad row."""
        return self.tile.row_bytes

    @property
    def transpose_columns(self) -> int:
        """Elements of a memory row that a transposing load takes at a time: four scratchpad rows
        of bytes, or fewer so that as many 4-byte elements fit one packet."""
        return self.flit_bytes * min(4, self.mesh.max_packet_bytes // (4 * self.flit_bytes))

    @property
    def peak_macs_per_cycle(self) -> int:
        return self.mesh.tiles * self.tile.array_rows * self.tile.array_cols

    def replace_tile(self, **changes) -> "ChipConfig":
        """The same chip with other tile parameters."""
        return replace(self, tile=replace(self.tile, **changes))

    def replace_mesh(self, **changes) -> "ChipConfig":
        """The same chip with other mesh parameters."""
        return replace(self, mesh=replace(self.mesh, **changes))
