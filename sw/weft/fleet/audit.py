"""Rules that the constants must keep beyond having every field; `weft fleet --audit` runs them."""

from collections.abc import Iterable

from weft.fleet.errors import ConstantError
from weft.fleet.quantity import Quantity

__all__ = ["check_constants", "check_dense_peaks"]

LOWEST_MEASURED_SHARE = 0.45
"""No GPU's best measured GEMM is below this share of its dense peak (lowest seen: MI300X, 0.514);
with a sparse figure in place of the dense one every Nvidia part falls below it."""

LARGEST_FORMAT_STEP = 2.1
"""fp8 runs at most twice as fast as bf16 on shipped parts."""


def check_dense_peaks(quantities: Iterable[Quantity]) -> None:
    """Refuse a peak that is, or looks like, the sparse (2:4) figure."""
    by_key = {q.key: q for q in quantities}
    for key, q in by_key.items():
        if ".peak_" not in key:
            continue
        if not q.unit.endswith(" dense"):
            raise ConstantError(f"peak {key!r} must say it is dense in its unit, not {q.unit!r}")
        if "spars" in f"{q.note} {q.locator}".lower():
            raise ConstantError(f"peak {key!r} speaks of sparsity ({q.note!r}); use the dense one")
        for kind in ("bf16", "fp8"):
            best = by_key.get(key.replace(f"peak_{kind}_tflops", f"gemm_best_{kind}_tflops"))
            if best is None or best is q:
                continue
            if best.value / q.value < LOWEST_MEASURED_SHARE:
                raise ConstantError(
                    f"peak {key!r} is {q.value:g} and the best GEMM measured is {best.value:g}, "
                    f"{best.value / q.value:.0%} of it; this looks like the sparse peak"
                )
        base = by_key.get(key.replace("peak_fp8", "peak_bf16"))
        measured = key.replace("peak_fp8", "gemm_best_fp8") in by_key
        if "peak_fp8" in key and measured and base and q.value > LARGEST_FORMAT_STEP * base.value:
            raise ConstantError(
                f"peak {key!r} is {q.value / base.value:.1f} times the bf16 peak; "
                f"at most {LARGEST_FORMAT_STEP} is plausible for a dense figure"
            )


def check_constants(quantities: Iterable[Quantity]) -> None:
    """All rules at once; raises `ConstantError` at the first breach."""
    records = list(quantities)
    check_dense_peaks(records)
    for q in records:
        if q.confidence == "published" and q.source.strip().lower() in ("", "-", "none"):
            raise ConstantError(f"constant {q.key!r} is published and names no source")
        if q.confidence != "unconfirmed" and "memory, not confirmed" in q.source:
            raise ConstantError(f"constant {q.key!r} comes from memory; mark it unconfirmed")
