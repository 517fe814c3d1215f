"""What to run: products, attention, memory and decode steps of Llama shapes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from weft.fleet.models import ModelShape, model
from weft.gpu_bench.backend import TorchBackend
from weft.gpu_bench.errors import GpuBenchError
from weft.gpu_bench.measure import Work

__all__ = ["PRESETS", "Plan"]

WIDTH = {"bf16": 2, "fp8": 1}


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of the sweeps."""

    models: tuple[str, ...]
    tokens: tuple[int, ...]
    """Rows of the products: decode batches and prefill lengths."""
    contexts: tuple[int, ...]
    copies_mib: tuple[int, ...]
    decode_batches: tuple[int, ...]
    seconds: float
    """Measured interval of each row."""
    idle_seconds: float

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.idle_seconds <= 0:
            raise GpuBenchError("seconds and idle_seconds must be positive")

    def works(self, dtypes: tuple[str, ...]) -> Iterator[Work]:
        """Every piece of work, smallest kinds first."""
        for mib in self.copies_mib:
            yield _copy(mib)
        for name in self.models:
            shape = model(name)
            for dtype in dtypes:
                for tokens in self.tokens:
                    for part, k, n in products(shape):
                        yield _gemm(name, part, tokens, k, n, dtype)
            for context in self.contexts:
                yield _attention(shape, 1, context, context)
                yield _attention(shape, 64, 1, context)
            for dtype in dtypes:
                for batch in self.decode_batches:
                    yield _decode(shape, batch, self.contexts[0], dtype)


PRESETS = {
    "quick": Plan(("llama3-8b",), (64, 4096), (2048,), (256,), (64,), 0.5, 5.0),
    "full": Plan(
        ("llama3-8b", "llama3-70b"),
        (1, 16, 64, 256, 1024, 4096, 8192),
        (2048, 8192),
        (16, 64, 256, 1024, 4096),
        (1, 16, 64, 256),
        2.0,
        30.0,
    ),
}


def products(shape: ModelShape) -> tuple[tuple[str, int, int], ...]:
    """The matrix products of one layer as (name, K, N)."""
    d = shape.d_model
    gates = 2 if shape.gated_mlp else 1
    return (
        *shape.projections(1),
        ("attention_out", shape.q_width, d),
        ("mlp_up", d, gates * shape.d_ff),
        ("mlp_down", shape.d_ff, d),
    )


def _gemm(owner: str, part: str, m: int, k: int, n: int, dtype: str) -> Work:
    width = WIDTH[dtype]
    return Work(
        kind="gemm",
        name=f"{owner}.{part}",
        dtype=dtype,
        shape=f"{m}x{k}x{n}",
        flops=2.0 * m * k * n,
        bytes=float(width * (m * k + k * n) + 2 * m * n),
        tokens=0.0,
        build=lambda backend: backend.gemm(m, k, n, dtype),
    )


def _attention(shape: ModelShape, batch: int, queries: int, keys: int) -> Work:
    causal = 0.5 if queries == keys else 1.0
    heads, kv, dim = shape.heads, shape.kv_heads, shape.head_dim
    return Work(
        kind="attention",
        name=f"{shape.name}.{'prefill' if queries == keys else 'decode'}",
        dtype="bf16",
        shape=f"batch{batch}:heads{heads}/{kv}:{queries}x{keys}x{dim}",
        flops=4.0 * batch * heads * queries * keys * dim * causal,
        bytes=2.0 * batch * dim * (2 * heads * queries + 2 * kv * keys),
        tokens=0.0,
        build=lambda backend: backend.attention(batch, heads, kv, queries, keys, dim),
    )


def _copy(mib: int) -> Work:
    size = mib * 1024 * 1024
    return Work(
        kind="memory",
        name="copy",
        dtype="uint8",
        shape=f"{mib}MiB",
        flops=0.0,
        bytes=2.0 * size,
        tokens=0.0,
        build=lambda backend: backend.copy(size),
    )


def _decode(shape: ModelShape, batch: int, context: int, dtype: str) -> Work:
    """A decode step: one layer's products and attention, as often as there are layers.

    A layer's weights exceed any L2 cache, so running the same layer again reads them again. Norms,
    activations and the head are left out.
    """
    layers = shape.layers
    parts = products(shape)
    heads, kv, dim = shape.heads, shape.kv_heads, shape.head_dim

    def build(backend: TorchBackend) -> Callable[[], Any]:
        runs = [backend.gemm(batch, k, n, dtype) for _, k, n in parts]
        runs.insert(1, backend.attention(batch, heads, kv, 1, context, dim))

        def step() -> None:
            for _ in range(layers):
                for run in runs:
                    run()

        return step

    weights = sum(k * n for _, k, n in parts)
    flops = 2.0 * batch * weights + 4.0 * batch * heads * context * dim
    moved = WIDTH[dtype] * weights + 2.0 * batch * 2 * kv * context * dim
    return Work(
        kind="decode",
        name=f"{shape.name}.step",
        dtype=dtype,
        shape=f"batch{batch}:context{context}",
        flops=flops * layers,
        bytes=moved * layers,
        tokens=float(batch),
        build=build,
    )
