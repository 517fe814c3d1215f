"""Payloads to and from integers through the hardware's own layouts, with every value checked
against its range.

``layout.const`` of Amaranth wraps a value that does not fit; here that is an error.
"""

import enum
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

__all__ = ["pack", "unpack"]


def pack(layout: Any, value: Any, where: str = "payload") -> int:
    """The bits of ``value`` laid out as ``layout`` says, as a non-negative integer.

    ``layout`` is anything with a shape: a layout, a ``data.Struct`` class, an enum, an Amaranth
    shape or a width. Structures take mappings (fields left out are zero), arrays take sequences,
    enums take members or their values, integers take anything with ``__index__`` (numpy too) or
    ``bytes`` of exactly the field's size, little-endian.

    Raises
    ------
    TypeError
        if the value is of the wrong kind for its layout.
    ValueError
        if a field is unknown or a value does not fit, naming the field, its range and the value.
    """
    fields = _fields(layout)
    if fields is not None:
        return _pack_fields(fields, value, where)
    shape = Shape.cast(layout)
    if isinstance(value, bytes | bytearray):
        if 8 * len(value) != shape.width:
            raise ValueError(f"{where} must have {shape.width} bits, not {len(value)} bytes")
        return int.from_bytes(value, "little")
    if isinstance(value, enum.Enum):
        value = value.value
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{where} must be an integer, not {value!r}") from None
    low = -(1 << (shape.width - 1)) if shape.signed and shape.width else 0
    high = (1 << (shape.width - (1 if shape.signed and shape.width else 0))) - 1
    if not low <= number <= high:
        raise ValueError(f"{where} must be between {low} and {high}, not {number}")
    return number & ((1 << shape.width) - 1)


def _pack_fields(fields: data.Layout, value: Any, where: str) -> int:
    if isinstance(fields, data.ArrayLayout):
        if not isinstance(value, Sequence) and not hasattr(value, "__array__"):
            raise TypeError(f"{where} must be a sequence, not {value!r}")
        if len(value) != fields.length:
            raise ValueError(f"{where} must have {fields.length} elements, not {len(value)}")
        items = dict(enumerate(value))
    elif isinstance(value, Mapping):
        items = dict(value)
    else:
        raise TypeError(f"{where} must be a mapping of fields, not {value!r}")
    known = dict(iter(fields))
    bits = 0
    for key, item in items.items():
        if key not in known:
            raise ValueError(f"{where} must have fields among {list(known)}, not {key!r}")
        bits |= pack(known[key].shape, item, f"{where}.{key}") << known[key].offset
    return bits


def unpack(layout: Any, bits: int) -> Any:
    """The value whose bits are ``bits``: dicts for structures, lists for arrays, members for enums
    (the number itself if it names none), integers with their sign otherwise.

    Raises
    ------
    ValueError
        if ``bits`` is negative or has more bits than the layout.
    """
    width = Shape.cast(layout).width
    if not 0 <= bits < 1 << width:
        raise ValueError(f"bits must be between 0 and 2**{width} - 1, not {bits}")
    fields = _fields(layout)
    if fields is not None:
        values = {
            key: unpack(
                field.shape, (bits >> field.offset) & ((1 << Shape.cast(field.shape).width) - 1)
            )
            for key, field in iter(fields)
        }
        return list(values.values()) if isinstance(fields, data.ArrayLayout) else values
    if Shape.cast(layout).signed and bits >> (width - 1):
        bits -= 1 << width
    if isinstance(layout, enum.EnumMeta):
        named: Any = layout
        return {member.value: member for member in named}.get(bits, bits)
    return bits


def _fields(layout: Any) -> data.Layout | None:
    """The layout with fields behind ``layout``, or None for a plain number."""
    if isinstance(layout, data.Layout):
        return layout
    if isinstance(layout, type) and issubclass(layout, data.Struct | data.Union):
        return data.Layout.cast(layout)
    return None
