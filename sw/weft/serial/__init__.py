"""A board on a serial line: ``Device("serial:/dev/ttyUSB0")``, and the same board simulated.

``SerialTarget`` speaks ``weft_hw.uart.protocol`` over a terminal; ``weft.serial.simulated_board``
compiles the very FPGA top and puts it behind a pseudo-terminal.
"""

from weft_hw.config import ChipConfig

from .errors import SerialError
from .target import DEFAULT_BAUD, SerialTarget

__all__ = ["DEFAULT_BAUD", "SerialError", "SerialTarget", "open_serial"]


def open_serial(name: str, config: ChipConfig | None = None) -> SerialTarget:
    """Opens ``serial:PATH`` or ``serial:PATH@BAUD``.

    Raises
    ------
    ValueError
        if there is no path or the speed is no number.
    """
    path, at, speed = name.removeprefix("serial:").partition("@")
    if not path or (at and not speed.isdecimal()):
        raise ValueError(
            f"target must be serial:PATH or serial:PATH@BAUD (serial:/dev/ttyUSB0), not {name!r}"
        )
    return SerialTarget(path, config, baud=int(speed) if at else DEFAULT_BAUD)
