"""Power limits: clocks fall until the chip fits, and compute-bound work slows down with them."""

from dataclasses import dataclass

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import InfeasibleError
from weft.fleet.quantity import Num

__all__ = ["CapResult", "cap_power"]


@dataclass(frozen=True, slots=True)
class CapResult:
    """A chip under a limit."""

    power_w: Num
    frequency_share: Num
    """Clock over the clock without the limit."""
    slowdown: Num


def cap_power(
    *,
    idle_w: Num,
    dynamic_w: Num,
    limit_w: Num,
    compute_share: Num = 1.0,
    constants: Constants | None = None,
    strict: bool = True,
) -> CapResult:
    """Frequency, slowdown and power of a chip held to `limit_w`.

    Dynamic power falls as frequency to the power `power.any.cap_dynamic_exponent`; the share of the
    time that computes stretches by `1 / frequency`, the rest does not.

    Raises
    ------
    InfeasibleError
        if the limit is not above idle power, or (strict) below the lowest clock's power, by the
        median over draws.
    """
    c = constants if constants is not None else default_constants()
    floor = c["power.any.min_frequency_share"]
    exponent = c["power.any.cap_dynamic_exponent"]
    lowest = idle_w + dynamic_w * floor**exponent
    limit, idle, least = (float(np.median(x)) for x in (limit_w, idle_w, lowest))
    if limit <= idle:
        raise InfeasibleError(
            f"power_limit_w = {limit:.0f} is not above the chip's idle power of {idle:.0f} W",
            f"power_limit_w = {np.ceil(least):.0f}",
        )
    if strict and limit < least:
        raise InfeasibleError(
            f"power_limit_w = {limit:.0f} is below what this work draws at the lowest clock "
            f"({least:.0f} W)",
            f"power_limit_w = {np.ceil(least):.0f}",
        )
    room = np.maximum(limit_w - idle_w, 1e-9) / np.maximum(dynamic_w, 1e-9)
    share = np.clip(room ** (1.0 / exponent), floor, 1.0)
    slowdown = compute_share / share + (1.0 - compute_share)
    power = np.minimum(idle_w + dynamic_w * share**exponent, np.maximum(limit_w, lowest))
    return CapResult(power, share, slowdown)
