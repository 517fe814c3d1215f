"""What the benches need of PyTorch, on one CUDA device; the module is passed in.

Every method returns a function without arguments that enqueues one run of the work. Operands are
random, so that data-dependent power is that of real data and not of zeros.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from weft.gpu_bench.errors import GpuBenchError

__all__ = ["DTYPES", "TorchBackend"]

DTYPES = ("bf16", "fp8")

Run = Callable[[], Any]


class TorchBackend:
    """PyTorch on one CUDA device.

    Parameters
    ----------
    torch : module
        PyTorch, or a stand-in with the same functions.
    device : int
        Index of the CUDA device.

    Raises
    ------
    GpuBenchError
        without a CUDA device of that index.
    """

    def __init__(self, torch: ModuleType | Any, device: int = 0) -> None:
        self._torch = torch
        if not torch.cuda.is_available():
            raise GpuBenchError(
                "PyTorch finds no CUDA device; run this on a machine with an NVIDIA GPU and driver"
            )
        count = torch.cuda.device_count()
        if not 0 <= device < count:
            raise GpuBenchError(f"there is no CUDA device {device}; use 0 to {count - 1}")
        torch.cuda.set_device(device)
        self.index = device
        self.device = torch.device("cuda", device)

    @property
    def name(self) -> str:
        """Name of the device as the driver gives it."""
        return str(self._torch.cuda.get_device_name(self.index))

    @property
    def versions(self) -> dict[str, str]:
        """PyTorch's version and the CUDA it was built with."""
        return {"torch": str(self._torch.__version__), "cuda": str(self._torch.version.cuda)}

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Formats this device multiplies: fp8 from compute capability 8.9."""
        capability = tuple(self._torch.cuda.get_device_capability(self.index))
        return DTYPES if capability >= (8, 9) else ("bf16",)

    def _random(self, *shape: int) -> Any:
        torch = self._torch
        return torch.randn(*shape, device=self.device, dtype=torch.bfloat16)

    def gemm(self, m: int, k: int, n: int, dtype: str) -> Run:
        """`(m, k) x (k, n)`, weights stored as `(n, k)`; bf16 result."""
        torch = self._torch
        a, b = self._random(m, k), self._random(n, k)
        if dtype == "bf16":
            out = torch.empty(m, n, device=self.device, dtype=torch.bfloat16)
            return lambda: torch.mm(a, b.t(), out=out)
        a8, b8 = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn)
        one = torch.ones((), device=self.device, dtype=torch.float32)
        return lambda: torch._scaled_mm(
            a8, b8.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16
        )

    def attention(
        self, batch: int, heads: int, kv_heads: int, queries: int, keys: int, head_dim: int
    ) -> Run:
        """Grouped-query attention in bf16; causal where queries equal keys."""
        attend = self._torch.nn.functional.scaled_dot_product_attention
        q = self._random(batch, heads, queries, head_dim)
        k = self._random(batch, kv_heads, keys, head_dim)
        v = self._random(batch, kv_heads, keys, head_dim)
        return lambda: attend(q, k, v, is_causal=queries == keys, enable_gqa=True)

    def copy(self, size_bytes: int) -> Run:
        """Copy a buffer of `size_bytes` on the device (reads and writes it once)."""
        torch = self._torch
        source = torch.randint(0, 255, (size_bytes,), device=self.device, dtype=torch.uint8)
        target = torch.empty_like(source)
        return lambda: target.copy_(source)

    def seconds(self, run: Run, repeats: int) -> float:
        """Device time of `repeats` runs in a row, by events on the stream."""
        cuda = self._torch.cuda
        start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            run()
        end.record()
        cuda.synchronize()
        return float(start.elapsed_time(end)) * 1e-3

    def free(self) -> None:
        """Return cached memory to the device."""
        self._torch.cuda.empty_cache()
