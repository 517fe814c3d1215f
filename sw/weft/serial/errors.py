"""What can go wrong on the line."""

__all__ = ["SerialError"]


class SerialError(RuntimeError):
    """The board does not answer, or not as it should."""
