"""Collectives: latency, size-dependent bandwidth, two levels (scale-up links, then scale-out).

Bandwidths are "bus bandwidth" as NCCL reports it: bytes of the buffer times `2 (n-1)/n`
(all-reduce) or `(n-1)/n` (all-gather, reduce-scatter), divided by the time.
"""

import numpy as np

from weft.fleet.errors import FleetError
from weft.fleet.machines import Link, Machine
from weft.fleet.operators.cost import OpCost
from weft.fleet.quantity import Num

__all__ = [
    "all_gather",
    "all_reduce",
    "all_to_all",
    "link_time",
    "point_to_point",
    "reduce_scatter",
]


def link_time(link: Link, sent_bytes: Num, steps: Num, gain: Num = 1.0) -> Num:
    """Seconds to send `sent_bytes` per chip in `steps` dependent steps over one level."""
    rate = link.bandwidth_bytes_per_s * link.efficiency * gain
    ramp = link.ramp_s * sent_bytes / (sent_bytes + link.half_size_bytes)
    return steps * link.latency_s + ramp + sent_bytes / rate


def _check(chips: int) -> None:
    if chips < 1:
        raise FleetError(f"a collective needs at least 1 chip, not {chips}")


def _split(machine: Machine, chips: int, scaleup_chips: int | None) -> tuple[int, int]:
    """(chips inside a scale-up domain, domains); `scaleup_chips` is how many of the group share
    one.
    """
    inside = machine.scaleup.chips if scaleup_chips is None else scaleup_chips
    inside = max(1, min(inside, chips))
    return inside, -(-chips // inside)


def all_reduce(
    machine: Machine,
    size_bytes: Num,
    chips: int,
    *,
    scaleup_chips: int | None = None,
    name: str = "all_reduce",
) -> OpCost:
    """Sum a buffer of `size_bytes` over `chips` chips, result everywhere.

    `scaleup_chips`: how many chips of the group sit in one scale-up domain (default: as many as
    fit). Larger groups reduce-scatter inside, all-reduce the shards across, all-gather inside.
    """
    _check(chips)
    inside, domains = _split(machine, chips, scaleup_chips)
    time: Num = 0.0
    sent: Num = 0.0
    if inside > 1:
        part = 2.0 * (inside - 1) / inside * size_bytes
        gain = machine.scaleup.in_network_gain if inside > 2 else 1.0
        time = time + link_time(machine.scaleup, part, 1, gain)
        sent = sent + part
    if domains > 1:
        part = 2.0 * (domains - 1) / domains * size_bytes / inside
        steps = 2.0 * np.log2(domains)
        time = time + link_time(machine.scaleout, part, steps)
        sent = sent + part
    return OpCost(name, 0.0, 0.0, sent, time)


def all_gather(
    machine: Machine,
    size_bytes: Num,
    chips: int,
    *,
    scaleup_chips: int | None = None,
    name: str = "all_gather",
) -> OpCost:
    """Gather shards of `size_bytes / chips` so that each chip ends with `size_bytes`."""
    _check(chips)
    inside, domains = _split(machine, chips, scaleup_chips)
    time: Num = 0.0
    sent: Num = 0.0
    if inside > 1:
        part = (inside - 1) / inside * size_bytes
        time = time + link_time(machine.scaleup, part, 1)
        sent = sent + part
    if domains > 1:
        part = (domains - 1) / domains * size_bytes / inside
        time = time + link_time(machine.scaleout, part, np.log2(domains))
        sent = sent + part
    return OpCost(name, 0.0, 0.0, sent, time)


def reduce_scatter(
    machine: Machine,
    size_bytes: Num,
    chips: int,
    *,
    scaleup_chips: int | None = None,
    name: str = "reduce_scatter",
) -> OpCost:
    """The mirror image of `all_gather`, same cost."""
    return all_gather(machine, size_bytes, chips, scaleup_chips=scaleup_chips, name=name)


def all_to_all(
    machine: Machine,
    size_bytes: Num,
    chips: int,
    *,
    scaleup_chips: int | None = None,
    name: str = "all_to_all",
) -> OpCost:
    """Each chip sends `size_bytes / chips` to every other (expert dispatch)."""
    _check(chips)
    inside, domains = _split(machine, chips, scaleup_chips)
    time: Num = 0.0
    near = (inside - 1) / chips * size_bytes
    far = (chips - inside) / chips * size_bytes if domains > 1 else 0.0
    if inside > 1:
        time = link_time(machine.scaleup, near, 1)
    if domains > 1:
        time = np.maximum(time, link_time(machine.scaleout, far, 1))
    return OpCost(name, 0.0, 0.0, near + far, time)


def point_to_point(
    machine: Machine, size_bytes: Num, *, inside: bool = False, name: str = "send"
) -> OpCost:
    """Send a buffer to one other chip, `inside` the scale-up domain or across."""
    link = machine.scaleup if inside else machine.scaleout
    return OpCost(name, 0.0, 0.0, size_bytes, link_time(link, size_bytes, 1))
