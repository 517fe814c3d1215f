"""One measured number beside what was demanded of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Measurement"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """``value`` in ``unit``, measured by ``command``; ``demand`` in words, ``met`` whether it holds
    (None: reported only). ``detail`` says what was run."""

    name: str
    what: str
    value: float
    unit: str
    demand: str
    met: bool | None
    command: str
    detail: str = ""

    def line(self) -> str:
        """One line of the table."""
        verdict = {True: "met", False: "MISSED", None: "-"}[self.met]
        return f"{self.what:<58} {self.value:>12,.4g} {self.unit:<10} {self.demand:<14} {verdict}"
