"""``link``: connects two interfaces and insists that their signatures agree to the shape.

``wiring.connect`` compares widths only, so two different structs of equal width would pass.
"""

from amaranth.lib import wiring

__all__ = ["link"]


def link(m, source, sink):
    """Connects ``source`` (its outputs drive) to ``sink`` in module ``m``.

    Raises
    ------
    TypeError
        if the signatures differ in any member's shape.
    """
    if source.signature != sink.signature.flip():
        raise TypeError(f"linked interfaces must have the same signature, not {source.signature!r} and "
                        f"{sink.signature.flip()!r}")
    wiring.connect(m, source, sink)
