"""A chip behind memory-mapped windows: ``Device("uio:/dev/uio0,/dev/udmabuf0")``.

Registers through a UIO device, memory through a physically contiguous buffer (u-dma-buf, a reserved
region), as on Zynq-class boards with ``weft_hw.boards.zynq``. ``weft.uio.stand_in`` puts a
simulated chip behind files of the same kind.
"""

from __future__ import annotations

from weft_hw.config import ChipConfig

from .errors import UioError
from .memory import open_memory
from .registers import open_registers
from .target import UioTarget

__all__ = ["UioError", "UioTarget", "open_uio"]


def open_uio(name: str, config: ChipConfig | None = None) -> UioTarget:
    """Opens ``uio:REGISTERS,MEMORY`` or ``uio:REGISTERS,MEMORY@BASE``: the paths of both windows,
    and the physical address of the second, which a u-dma-buf tells by itself.

    Raises
    ------
    ValueError
        if a path or the address is missing or wrong, or a window has the wrong size.
    OSError
        if a window cannot be opened, with what to do.
    UioError
        if the chip does not answer as it should.
    """
    registers, comma, rest = name.removeprefix("uio:").partition(",")
    path, at, address = rest.partition("@")
    try:
        base = int(address, 0) if at else None
    except ValueError:
        base = -1
    if not (registers and comma and path) or base == -1:
        raise ValueError(
            "target must be uio:REGISTERS,MEMORY or uio:REGISTERS,MEMORY@BASE "
            f"(uio:/dev/uio0,/dev/udmabuf0), not {name!r}"
        )
    memory = open_memory(path, base)
    return UioTarget(open_registers(registers), memory, config)
