"""The one exception of the assembler."""

__all__ = ["MicrocodeError"]


class MicrocodeError(ValueError):
    """A microprogram that cannot be: one sentence says what and why."""
