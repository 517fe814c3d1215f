"""``link``: connects two interfaces and insists that their members agree to the shape.

``wiring.connect`` compares widths only, so two different structs of equal width would pass; and
subclasses of ``Signature`` compare by identity, so members are compared one by one.
"""

from amaranth.hdl import Shape, ShapeCastable
from amaranth.lib import wiring

__all__ = ["link", "members"]


def members(signature, interface):
    """Path -> (direction, shape) of every member, for comparing interfaces."""
    # an integer or range is the shape it stands for
    return {path: (member.flow, member.shape if isinstance(member.shape, ShapeCastable)
                   else Shape.cast(member.shape))
            for path, member, _ in signature.flatten(interface)}


def link(m, source, sink):
    """Connects ``source`` (its outputs drive) to ``sink`` in module ``m``.

    Raises
    ------
    TypeError
        if the interfaces differ in a member or its shape, naming the first.
    """
    ours = members(source.signature, source)
    theirs = members(sink.signature.flip(), sink)
    for path in ours.keys() | theirs.keys():
        if ours.get(path) != theirs.get(path):
            raise TypeError(f"linked interfaces must agree in {'.'.join(map(str, path))}, "
                            f"not {ours.get(path)} and {theirs.get(path)}")
    wiring.connect(m, source, sink)
