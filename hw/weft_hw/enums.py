"""Amaranth's enumerations, as type checkers can follow them.

Their metaclass, which gives an enumeration its shape in bits, is opaque to type checkers; members,
``name`` and ``value`` are those of the standard library, so checkers are shown that instead.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import enum
else:
    from amaranth.lib import enum

__all__ = ["enum"]
