"""What the GPU bench refuses; the message is one sentence."""

__all__ = ["GpuBenchError"]


class GpuBenchError(ValueError):
    """No usable GPU, or a request that makes no sense."""
