"""GPU cost per hour and manufacturing cost against published estimates; nothing is fitted.

Published estimates, not measurements: the tables say how far the money model is from what analysts
print. Hours: the whole cost of ownership at 80 % of the board limit, per hour on the clock.
"""

from functools import partial
from pathlib import Path

from weft.fleet.constants import Constants
from weft.fleet.machines import GPU_NAMES, gpu
from weft.fleet.money.chip import chip_cost
from weft.fleet.money.tco import tco
from weft.fleet.power.site import provisioned_power_w, site_power
from weft.fleet.quantity import Num
from weft.fleet.validate.data import rows_of
from weft.fleet.validate.table import Case, Table, evaluate

__all__ = ["manufacturing_usd", "tables", "usd_per_hour"]

MEAN_SHARE_OF_LIMIT = 0.8
SITE_CHIPS = 1000


def usd_per_hour(name: str, c: Constants) -> Num:
    """Dollars per GPU and hour of a liquid-cooled site."""
    machine = gpu(name, c)
    power = site_power(machine, SITE_CHIPS, MEAN_SHARE_OF_LIMIT * machine.board_power_max_w, c)
    built = provisioned_power_w(machine, SITE_CHIPS, c)
    return tco(machine, SITE_CHIPS, power, c, provisioned_w=built).usd_per_chip_hour


def manufacturing_usd(name: str, c: Constants) -> Num:
    """Dollars to make one packaged GPU."""
    return chip_cost(gpu(name, c), c).manufacturing_usd


QUANTITIES = {
    "cost_per_hour": ("gpu_hour_cost", "USD/GPU-h", usd_per_hour, "baseline.money.usd_per_hour"),
    "manufacturing": ("gpu_making_cost", "USD", manufacturing_usd, "baseline.money.making_usd"),
}


def tables(c: Constants, folder: Path | None = None) -> list[Table]:
    """One table per published quantity."""
    found = []
    rows = rows_of("gpu_cost_published", folder)
    for quantity, (key, unit, predict, baseline) in QUANTITIES.items():
        cases = [
            Case(
                name=f"{row['gpu']} {quantity}",
                measured=float(row["value"]),
                predict=partial(predict, row["gpu"]),
                baseline=c.number(baseline),
                role="estimate",
            )
            for row in rows
            if row["quantity"] == quantity and row["gpu"] in GPU_NAMES
        ]
        if cases:
            found.append(
                Table(
                    key=key,
                    title=f"published estimates of {quantity.replace('_', ' ')}",
                    unit=unit,
                    rows=evaluate(cases, c, residual="residual.money_x"),
                    baseline_name="the same for every GPU",
                    notes=("analysts' estimates, not measurements; nothing fitted",),
                )
            )
    return found
