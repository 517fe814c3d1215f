"""Registers by name, and the configuration that a device's capability words describe."""

from __future__ import annotations

from dataclasses import replace

from weft_hw.config import FORMATS, ChipConfig, HostConfig, MeshConfig, TileConfig
from weft_hw.control.registers import IDENTITY, VERSION, capabilities, register_map
from weft_sim.target import Target

__all__ = ["Registers", "check_capabilities", "discover"]


class Registers:
    """The register file of a target. 64-bit quantities go by the name without ``_LO``/``_HI``."""

    def __init__(self, target: Target, config: ChipConfig) -> None:
        self._target = target
        self.offsets = {register.name: register.offset for register in register_map(config)}

    def read(self, name: str) -> int:
        """A 32-bit register."""
        return self._target.read_register(self._offset(name))

    def write(self, name: str, value: int) -> None:
        """A 32-bit register."""
        self._target.write_register(self._offset(name), value)

    def read_wide(self, name: str) -> int:
        """A pair ``_LO``, ``_HI``; the low word is read first, which latches the high one."""
        low = self.read(f"{name}_LO")
        return self.read(f"{name}_HI") << 32 | low

    def write_wide(self, name: str, value: int) -> None:
        """A pair ``_LO``, ``_HI``."""
        self.write(f"{name}_LO", value & 0xFFFF_FFFF)
        self.write(f"{name}_HI", value >> 32)

    def _offset(self, name: str) -> int:
        if name not in self.offsets:
            raise ValueError(f"register must be one of {', '.join(self.offsets)}, not {name!r}")
        return self.offsets[name]


def discover(target: Target) -> ChipConfig:
    """The configuration that the capability words of ``target`` describe, named ``discovered``.

    Raises
    ------
    ValueError
        if the device is no Weft, or of another major interface version.
    """
    # offsets of identity and capabilities are the same in every configuration
    registers = Registers(target, target.config)
    identity = registers.read("IDENTITY")
    if identity != IDENTITY:
        raise ValueError(
            f"device must identify itself as 0x{IDENTITY:08x} (WEFT), not 0x{identity:08x}"
        )
    version = registers.read("VERSION")
    if version >> 16 != VERSION >> 16:
        raise ValueError(
            f"device must have interface version {VERSION >> 16}, not {version >> 16}; "
            "use the driver that belongs to the chip"
        )
    word = {name: registers.read(name) for name in capabilities(target.config)}

    def bits(name: str, low: int, width: int) -> int:
        return word[name] >> low & ((1 << width) - 1)

    return ChipConfig(
        name="discovered",
        tile=TileConfig(
            array_rows=bits("CAP_ARRAY", 0, 16),
            array_cols=bits("CAP_ARRAY", 16, 16),
            formats=tuple(name for i, name in enumerate(FORMATS) if word["CAP_FORMATS"] >> i & 1),
            scratchpad_kib=bits("CAP_SCRATCHPAD", 0, 24),
            scratchpad_banks=bits("CAP_SCRATCHPAD", 24, 8),
            accumulator_kib=bits("CAP_ACCUMULATOR", 0, 24),
            accumulator_banks=bits("CAP_ACCUMULATOR", 24, 8),
            semaphores=bits("CAP_QUEUES", 24, 8),
            command_queue_depth=bits("CAP_QUEUES", 0, 8),
            microprogram_entries=bits("CAP_VECTOR", 0, 16),
            transpose=bool(bits("CAP_LOADER", 0, 1)),
            tensor_loads=bool(bits("CAP_LOADER", 1, 1)),
            load_requests=bits("CAP_QUEUES", 8, 8),
            store_requests=bits("CAP_QUEUES", 16, 8),
        ),
        mesh=MeshConfig(
            cols=bits("CAP_MESH", 0, 8),
            rows=bits("CAP_MESH", 8, 8),
            memory_endpoints=bits("CAP_MESH", 16, 8),
            router_fifo_depth=bits("CAP_NETWORK", 16, 16),
            max_packet_bytes=bits("CAP_NETWORK", 0, 16),
        ),
        host=HostConfig(
            address_bits=bits("CAP_HOST", 0, 8),
            windows=bits("CAP_MESH", 24, 8),
            max_in_flight=1 << bits("CAP_HOST", 8, 8),
            max_ring_entries=1 << bits("CAP_HOST", 16, 8),
        ),
    )


def check_capabilities(found: ChipConfig, wanted: ChipConfig) -> None:
    """Refuses a device that is not what the caller asked for.

    Raises
    ------
    ValueError
        naming the first quantity that differs.
    """
    if replace(found, name=wanted.name) == wanted:
        return
    for part in ("tile", "mesh", "host"):
        mine, theirs = getattr(wanted, part), getattr(found, part)
        for name in mine.__dataclass_fields__:
            if getattr(mine, name) != getattr(theirs, name):
                raise ValueError(
                    f"device has {part}.{name} {getattr(theirs, name)}, "
                    f"but configuration {wanted.name} has {getattr(mine, name)}; "
                    "open it with the configuration it was built from"
                )
