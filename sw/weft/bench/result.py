"""One measured number beside what was demanded of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Measurement"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """``value`` in ``unit``, measured by ``command``; ``demand`` in words, ``met`` whether it holds
    (None: reported only). ``detail`` says what was run."""

    name: str
    what: str
    value: float
    unit: str
    command: str
    demand: str = ""
    met: bool | None = None
    detail: str = ""

    def at_least(self, limit: float, correct: bool = True) -> Measurement:
        """The same with a demand: ``value`` from ``limit`` on, and results that are correct."""
        return self._judged(">=", limit, correct and self.value >= limit)

    def at_most(self, limit: float, correct: bool = True) -> Measurement:
        """The same with a demand: ``value`` up to ``limit``, and results that are correct."""
        return self._judged("<=", limit, correct and self.value <= limit)

    def _judged(self, relation: str, limit: float, met: bool) -> Measurement:
        # "50x", but "97 %" and "60 s"
        unit = self.unit if self.unit == "x" else f" {self.unit}"
        return replace(self, demand=f"{relation} {limit:,g}{unit}", met=met)

    def line(self) -> str:
        """One line of the table."""
        verdict = {True: "met", False: "MISSED", None: "-"}[self.met]
        return f"{self.what:<58} {self.value:>12,.4g} {self.unit:<10} {self.demand:<18} {verdict}"
