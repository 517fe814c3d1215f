"""Kernels as methods of a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .kernels.attention import attention
from .kernels.conv import Conv2d
from .kernels.elementwise import combine, map_elements
from .kernels.gather import gather
from .kernels.matmul import matmul_async
from .kernels.pool import average_pool2d, max_pool2d
from .kernels.rowwise import layer_norm, rms_norm, rotary, softmax

if TYPE_CHECKING:
    from .buffer import DeviceBuffer
    from .device import Device
    from .event import Event
    from .kernels.operands import Operand
    from .microscaling import MxArray

__all__ = ["DeviceKernels"]


class DeviceKernels:
    """What ``Device`` computes. Operands are arrays, which are copied, or buffers.

    ``matmul`` and ``conv2d`` return when they are done. The others, and ``matmul_async``, submit
    their commands and return at once: work submitted later runs later, and reading a buffer waits
    for it. Options, and what is raised: see the functions of ``weft.kernels`` that are named.
    """

    @property
    def _device(self) -> Device:
        """This object, as kernels know it: ``Device`` is the one class that inherits from here."""
        return cast("Device", self)

    def matmul(self, a: Operand | MxArray, b: Operand | MxArray, **options: Any) -> DeviceBuffer:
        """``a @ b`` on the device; see ``weft.kernels.matmul.matmul_async`` for the options."""
        return matmul_async(self._device, a, b, **options).wait()

    def matmul_async(self, a: Operand | MxArray, b: Operand | MxArray, **options: Any) -> Event:
        """Like ``matmul``, but returns an event at once; its ``wait()`` gives the buffer."""
        return matmul_async(self._device, a, b, **options)

    def conv2d(self, x: Operand, weight: Any, **options: Any) -> DeviceBuffer:
        """Images (B, H, W, Cin) through a kernel (KH, KW, Cin / groups, Cout): (B, OH, OW, Cout).

        ``stride``, ``padding``, ``dilation``, ``groups`` and ``pad_value``: see
        ``weft.kernels.Conv2d``, which also keeps weights on the device; the other options are those
        of ``matmul`` for results.
        """
        names = ("stride", "padding", "dilation", "groups", "pad_value")
        geometry = {name: options.pop(name) for name in names if name in options}
        return Conv2d(self._device, weight, **geometry)(x, **options)

    def softmax(self, x: Operand, **options: Any) -> DeviceBuffer:
        """Along the last axis; ``weft.kernels.rowwise.softmax``."""
        return softmax(self._device, x, **options).result

    def attention(
        self, q: Operand, k: Operand, v: Operand, *, heads: int, **options: Any
    ) -> DeviceBuffer:
        """Multi-head attention, fused in the tiles; ``weft.kernels.attention.attention``."""
        return attention(self._device, q, k, v, heads=heads, **options).result

    def gather(self, table: Operand, indices: Operand, **options: Any) -> DeviceBuffer:
        """``table[indices]``; ``weft.kernels.gather.gather``."""
        return gather(self._device, table, indices, **options).result

    def rotary(self, x: Operand, cos: Operand, sin: Operand, **options: Any) -> DeviceBuffer:
        """Rotary position embedding; ``weft.kernels.rowwise.rotary``."""
        return rotary(self._device, x, cos, sin, **options).result

    def max_pool2d(self, x: Operand, window: Any, **options: Any) -> DeviceBuffer:
        """Largest values of windows of images; ``weft.kernels.pool.max_pool2d``."""
        return max_pool2d(self._device, x, window, **options).result

    def average_pool2d(self, x: Operand, window: Any, **options: Any) -> DeviceBuffer:
        """Means of windows of images; ``weft.kernels.pool.average_pool2d``."""
        return average_pool2d(self._device, x, window, **options).result

    def layer_norm(self, x: Operand, gamma: Operand, beta: Operand, **options: Any) -> DeviceBuffer:
        """Along the last axis; ``weft.kernels.rowwise.layer_norm``."""
        return layer_norm(self._device, x, gamma, beta, **options).result

    def rms_norm(self, x: Operand, gamma: Operand, **options: Any) -> DeviceBuffer:
        """Along the last axis; ``weft.kernels.rowwise.rms_norm``."""
        return rms_norm(self._device, x, gamma, **options).result

    def add(self, x: Operand, y: Operand, **options: Any) -> DeviceBuffer:
        """``x + y``, the shape of ``y`` that of ``x`` or a vector; ``weft.kernels.elementwise``."""
        return combine(self._device, "add", x, y, **options).result

    def multiply(self, x: Operand, y: Operand, **options: Any) -> DeviceBuffer:
        """``x * y``, the shape of ``y`` that of ``x`` or a vector; ``weft.kernels.elementwise``."""
        return combine(self._device, "multiply", x, y, **options).result

    def apply(self, name: str, x: Operand, **options: Any) -> DeviceBuffer:
        """An element-wise function by name; ``weft.kernels.elementwise.map_elements``."""
        return map_elements(self._device, name, x, **options).result

    def relu(self, x: Operand, **options: Any) -> DeviceBuffer:
        """``max(x, 0)``."""
        return self.apply("relu", x, **options)

    def gelu(self, x: Operand, **options: Any) -> DeviceBuffer:
        """``x`` times the normal distribution function of ``x``."""
        return self.apply("gelu", x, **options)

    def silu(self, x: Operand, **options: Any) -> DeviceBuffer:
        """``x`` times its sigmoid."""
        return self.apply("silu", x, **options)

    def sigmoid(self, x: Operand, **options: Any) -> DeviceBuffer:
        """``1 / (1 + e**-x)``."""
        return self.apply("sigmoid", x, **options)

    def tanh(self, x: Operand, **options: Any) -> DeviceBuffer:
        """Hyperbolic tangent."""
        return self.apply("tanh", x, **options)

    def exp(self, x: Operand, **options: Any) -> DeviceBuffer:
        """``e**x``."""
        return self.apply("exp", x, **options)

    def scale(self, x: Operand, factor: float, **options: Any) -> DeviceBuffer:
        """``x * factor``."""
        return self.apply("scale", x, factor=factor, **options)

    def convert(self, x: Operand, dtype: Any, **options: Any) -> DeviceBuffer:
        """``x`` in another dtype: rounded to nearest even, saturated in fp8 and integers."""
        return self.apply("scale", x, factor=1.0, out_dtype=dtype, **options)
