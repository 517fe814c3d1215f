"""What can go wrong in building and running the compiled RTL. All are ``RuntimeError``."""

__all__ = [
    "AxiProtocolError",
    "BuildError",
    "HardwareAssertionError",
    "RegisterError",
    "RtlError",
    "ToolchainError",
]


class RtlError(RuntimeError):
    """The compiled RTL target failed."""


class ToolchainError(RtlError):
    """A program that the build needs is not installed."""


class BuildError(RtlError):
    """Verilator or the C++ compiler refused the generated code; the message has its first lines."""


class AxiProtocolError(RtlError):
    """The chip broke a rule of AXI4 at a memory port; the message names port and cycle."""


class HardwareAssertionError(RtlError):
    """An assertion in the hardware failed; the message has its text and cycle."""


class RegisterError(RtlError):
    """A register access was answered with an AXI error, or not at all."""
