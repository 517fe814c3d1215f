"""Boards that the prototype is known to fit, as data: FPGA and pins."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["BOARDS", "Board", "board"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board with an ECP5. Pins are seen from the FPGA; ``reset_pin`` is a button, high when
    pressed."""

    name: str
    fpga: str
    """nextpnr's name of the size: 25k, 45k, 85k."""
    package: str
    speed: str
    clock_pin: str
    clock_hz: int
    reset_pin: str
    rx_pin: str
    tx_pin: str
    led_pins: tuple[str, ...]
    source: str

    @property
    def constraints(self) -> str:
        """The LPF file for the ports of ``BoardTop``."""
        frequency = f'FREQUENCY PORT "clk" {self.clock_hz / 1e6:g} MHZ;\n'
        return frequency + self.constraints_of(self._pins)

    @property
    def _pins(self) -> dict[str, tuple[str, str]]:
        return {
            "clk": (self.clock_pin, "PULLMODE=NONE"),
            "rst": (self.reset_pin, "PULLMODE=DOWN"),
            "rx": (self.rx_pin, "PULLMODE=UP"),
            "tx": (self.tx_pin, "PULLMODE=UP"),
            **{f"leds[{n}]": (pin, "DRIVE=4") for n, pin in enumerate(self.led_pins)},
        }

    def constraints_of(self, ports: Iterable[str]) -> str:
        """The LPF lines of some of these ports: where they are, and no clock."""
        lines = [f"# {self.name}: {self.source}"]
        for port in ports:
            pin, mode = self._pins[port]
            lines += [
                f'LOCATE COMP "{port}" SITE "{pin}";',
                f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33 {mode};',
            ]
        return "\n".join(lines) + "\n"


BOARDS = {
    each.name: each
    for each in (
        Board(
            name="ulx3s",
            fpga="85k",
            package="CABGA381",
            speed="6",
            clock_pin="G2",
            clock_hz=25_000_000,
            reset_pin="R1",
            rx_pin="M1",
            tx_pin="L4",
            led_pins=("B2", "C2", "C1", "D2", "D1", "E2", "E1", "H3"),
            source="amaranth-boards 0.0.21, ulx3s.py: clk25, uart, leds, button_fire 0",
        ),
    )
}


def board(name: str) -> Board:
    """The board of that name.

    Raises
    ------
    ValueError
        if there is none, listing those there are.
    """
    if name not in BOARDS:
        raise ValueError(f"board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
