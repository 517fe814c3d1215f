"""Outputs that RTL leaves open, because they depend on how its registers power up.

A register without reset is unknown until it is first written. Its text in Verilog has an initial
value all the same, which a simulator starts from, and which silicon does not have: mapping drops it
and uses what it likes. A bit that is only ever written 1 (the source port in the headers that an
endpoint sends) becomes the constant 1, while RTL in a simulator shows 0 up to the first write.

So RTL runs from registers and memories that are all zeros and all ones too. A bit that is the same
in all runs is defined and gates must have it. One that is not may be another in gates, but only
where nobody looks at it: in the payload of a stream or AXI channel while its ``valid`` is low.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["POWER_UPS", "listened", "qualifier", "without_initial_values"]

#: States that registers and memories power up in: every bit 0, every bit 1.
POWER_UPS = (0, 1)

_INITIAL = re.compile(r"^(\s*reg\b[^;=]*?) = \d+'h[0-9a-fA-F]+;$", re.MULTILINE)
_CHANNELS = ("aw", "ar", "w", "r", "b")


def without_initial_values(verilog: str) -> str:
    """Generated Verilog whose registers have no initial values. Tables keep theirs: nothing writes
    them."""
    return _INITIAL.sub(r"\1;", verilog)


def qualifier(name: str, names: Iterable[str]) -> str | None:
    """The output among ``names`` that says in which cycles output ``name`` means something:
    ``valid`` of a stream's ``payload``, of an AXI channel's fields. None: in every cycle."""
    known = set(names)
    base, _, field = name.rpartition("__")
    prefix = f"{base}__" if base else ""
    if field == "payload" and f"{prefix}valid" in known:
        return f"{prefix}valid"
    if field.endswith(("valid", "ready")):
        return None
    return next(
        (
            f"{prefix}{channel}valid"
            for channel in _CHANNELS
            if field.startswith(channel) and f"{prefix}{channel}valid" in known
        ),
        None,
    )


def listened(ports: Sequence[tuple[str, int]], values: np.ndarray) -> np.ndarray:
    """Bool (cycles, bits): where somebody looks at an output. ``ports`` are names and widths of the
    outputs, ``values`` bool (cycles, bits) of theirs, side by side."""
    at, starts = 0, {}
    for name, bits in ports:
        starts[name] = at
        at += bits
    heard = np.ones((len(values), at), dtype=bool)
    for name, bits in ports:
        valid = qualifier(name, starts)
        if valid is not None:
            start = starts[name]
            heard[:, start : start + bits] = values[:, starts[valid], None]
    return heard
