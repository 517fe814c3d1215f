"""Arrays in device memory that numpy sees without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .packing import is_packed, pack_int4, packed_bytes, unpack_int4

if TYPE_CHECKING:
    from .device import Device

__all__ = ["DeviceBuffer", "bytes_of", "check_array", "write_array"]


def check_array(array: object, what: str) -> np.ndarray:
    """``array`` if it can be copied to a device as it is: a non-empty C-contiguous ndarray of
    numbers.

    Raises
    ------
    TypeError, ValueError
        saying what is wrong with ``what`` and what to do.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"{what} must be a numpy array or a DeviceBuffer, not {type(array).__name__}"
        )
    if array.dtype.hasobject or not array.dtype.isnative:
        raise TypeError(f"{what} must hold numbers in native byte order, not dtype {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{what} must not be zero-sized, not of shape {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(
            f"{what} must be C-contiguous, not strided by {array.strides} bytes; "
            f"pass numpy.ascontiguousarray({what})"
        )
    return array


def bytes_of(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Bytes that an array takes in device memory."""
    if is_packed(dtype):
        return packed_bytes(shape)
    return int(np.prod(shape, dtype=object)) * dtype.itemsize


def write_array(raw: np.ndarray, array: np.ndarray) -> None:
    """Writes an array to the bytes of device memory that are its."""
    if is_packed(array.dtype):
        raw[...] = pack_int4(array).reshape(-1)
    else:
        raw.view(array.dtype).reshape(array.shape)[...] = array


class DeviceBuffer:
    """A C-contiguous array in device memory; made by ``Device.empty``, ``zeros`` and ``array``.

    ``numpy()`` and numpy's own conversions wait for the device, then give a view of device memory,
    not a copy. A view taken before ``free`` must not be used after it. A buffer that nobody refers
    to any more is freed by itself. int4 (``ml_dtypes.int4``) is packed two to a byte in device
    memory (``weft.packing``), so there ``numpy()`` gives a copy; write with ``copy_from``.
    """

    def __init__(
        self,
        device: Device,
        address: int,
        shape: tuple[int, ...],
        dtype: np.dtype,
        base: DeviceBuffer | None = None,
    ) -> None:
        self._device = device
        self._address = address
        self.shape = shape
        self.dtype = dtype
        #: Whose memory this is, if not its own.
        self._base = base
        self._freed = False

    @property
    def device(self) -> Device:
        return self._device

    @property
    def size(self) -> int:
        """Elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of device memory."""
        return bytes_of(self.shape, self.dtype)

    @property
    def is_freed(self) -> bool:
        return self._freed if self._base is None else self._base.is_freed

    @property
    def address(self) -> int:
        """Byte address in device memory.

        Raises
        ------
        ValueError
            if the buffer was freed or its device closed.
        """
        if self.is_freed:
            raise ValueError(
                f"buffer of shape {self.shape} was freed; allocate a new one with device.empty"
            )
        self._device.require_open()
        return self._address

    def numpy(self) -> np.ndarray:
        """A view of device memory, after everything submitted has finished; of int4, a copy."""
        raw = self._raw()
        if is_packed(self.dtype):
            return unpack_int4(raw, self.shape)
        return raw.view(self.dtype).reshape(self.shape)

    def _raw(self) -> np.ndarray:
        address = self.address
        self._device.synchronize()
        return self._device.target.memory[address : address + self.nbytes]

    def copy_from(self, array: np.ndarray) -> DeviceBuffer:
        """Copies ``array`` (same shape and dtype) into the buffer.

        Raises
        ------
        TypeError, ValueError
            if kind, dtype or shape differ.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"array must be a numpy array, not {type(array).__name__}")
        if array.dtype != self.dtype:
            raise TypeError(f"array must have dtype {self.dtype}, not {array.dtype}")
        if array.shape != self.shape:
            raise ValueError(f"array must have shape {self.shape}, not {array.shape}")
        write_array(self._raw(), array)
        return self

    def reshape(self, *shape: int) -> DeviceBuffer:
        """The same memory under another shape of as many elements; one length may be -1. Rows of
        int4 keep their length.

        Raises
        ------
        ValueError
            if the elements are more or fewer.
        """
        known = int(np.prod([length for length in shape if length != -1], dtype=np.int64))
        if shape.count(-1) == 1 and known > 0:
            shape = tuple(self.size // known if length == -1 else length for length in shape)
        whole = min(shape, default=0) > 0 and int(np.prod(shape, dtype=np.int64)) == self.size
        if not whole or (is_packed(self.dtype) and shape[-1] != self.shape[-1]):
            raise ValueError(
                f"shape must hold the {self.size} elements of a buffer of shape {self.shape}, "
                f"not {shape}"
            )
        return DeviceBuffer(self._device, self._address, shape, self.dtype, self._base or self)

    def __getitem__(self, index: int | slice) -> DeviceBuffer:
        """Part of the first axis, the same memory: an element of it, or a slice in steps of 1.

        Raises
        ------
        TypeError, IndexError, ValueError
            for another index, one beyond the end, an empty slice.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(self.shape[0])
            if step != 1 or stop <= start:
                raise ValueError(f"slice must take at least one element in steps of 1, not {index}")
            shape = (stop - start, *self.shape[1:])
        elif isinstance(index, int | np.integer):
            if self.ndim < 2 or not 0 <= index < self.shape[0]:
                raise IndexError(f"index must be below the first of {self.shape}, not {index}")
            start, shape = int(index), self.shape[1:]
        else:
            raise TypeError(f"index must be an integer or a slice, not {index!r}")
        if is_packed(self.dtype) and self.ndim < 2:
            raise ValueError(
                "a vector of int4 must not be cut, because its bytes hold two elements"
            )
        each = bytes_of(self.shape[1:], self.dtype) if self.ndim > 1 else self.dtype.itemsize
        base = self if self._base is None else self._base
        return DeviceBuffer(self._device, self._address + start * each, shape, self.dtype, base)

    def free(self) -> None:
        """Gives the memory back, after everything submitted has finished.

        Raises
        ------
        ValueError
            if it was freed before, or is another buffer's memory.
        """
        if self._base is not None:
            raise ValueError("buffer is another one's memory in another shape; free that one")
        if self._freed:
            raise ValueError(f"buffer of shape {self.shape} was freed twice; free a buffer once")
        self._device.require_open()
        self._device.synchronize()
        self._release()

    def _release(self) -> None:
        self._freed = True
        self._device.allocator.free(self._address)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        view = self.numpy()
        if dtype is not None and np.dtype(dtype) != self.dtype:
            if copy is False:
                raise ValueError(
                    f"dtype {np.dtype(dtype)} needs a copy of this {self.dtype} buffer"
                )
            return view.astype(dtype)
        return view.copy() if copy else view

    def __dlpack__(self, **arguments: Any) -> Any:
        return self.numpy().__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self.numpy().__dlpack_device__()

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        state = "freed" if self.is_freed else f"at 0x{self._address:x}"
        return f"DeviceBuffer(shape={self.shape}, dtype={self.dtype}, {state})"

    def __del__(self) -> None:
        # commands in flight keep their buffers alive, so nothing on the device uses this one
        mine = not getattr(self, "_freed", True) and self._base is None
        if mine and self._device.is_open:
            self._release()
