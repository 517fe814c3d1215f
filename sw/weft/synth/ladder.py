"""The ladder of nodes: what one step measures against another, beside published factors, with the
disagreement.

Logic is the int8 MAC of our own PE on each library; memory is published figures and the fit to
IHP's macros. Nothing is adjusted to agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PUBLISHED", "Comparison", "compare", "stillmaker_energy_factor"]


@dataclass(frozen=True, slots=True)
class Published:
    """A factor (older over newer) with its range."""

    older: str
    newer: str
    quantity: str
    factor: float
    low: float
    high: float
    source: str


#: Published energy factors between nodes that are also measured here.
PUBLISHED = (
    Published(
        "nangate45", "asap7", "energy per int8 MAC", 0.3 / 0.1, 2.86, 3.33,
        "int8 multiply 0.2 to 0.07 pJ and int32 add 0.1 to 0.03 pJ, 45 to 7 nm: "
        "Horowitz, ISSCC 2014; Jouppi et al., ISCA 2021, table 2",
    ),
    Published(
        "asap7", "gt2n_svt", "energy per int8 MAC", 1 / 0.35, 1 / 0.58, 1 / 0.27,
        "N7 to N2 power at equal performance, product of foundry claims (0.70 x 0.69 x 0.725)",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """``measured`` over ``published``."""

    published: Published
    measured: float

    @property
    def disagreement(self) -> float:
        """Measured factor over published, minus one."""
        return self.measured / self.published.factor - 1

    @property
    def inside(self) -> bool:
        """Whether the measured factor is in the published range."""
        return self.published.low <= self.measured <= self.published.high


def compare(energy_fj: Mapping[str, float]) -> list[Comparison]:
    """Published factors against those of ``energy_fj`` (node -> energy per MAC); pairs not measured
    are left out."""
    return [
        Comparison(entry, energy_fj[entry.older] / energy_fj[entry.newer])
        for entry in PUBLISHED
        if entry.older in energy_fj and entry.newer in energy_fj
    ]


def stillmaker_energy_factor(voltage_v: float, coefficients: tuple[float, float, float]) -> float:
    """Energy factor ``a V² + b V + c`` of Stillmaker & Baas, "Scaling equations for the accurate
    prediction of CMOS device performance
    from 180 nm to 7 nm", Integration 58, 2017, as corrected by its erratum."""
    a, b, c = coefficients
    return a * voltage_v**2 + b * voltage_v + c
