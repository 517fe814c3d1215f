"""Errors of the physical flow, each one sentence with what to do."""

__all__ = ["FlowError", "LibertyError", "ToolError"]


class LibertyError(ValueError):
    """A cell library cannot be used."""


class ToolError(ValueError):
    """A program is missing, with the command that installs it."""


class FlowError(RuntimeError):
    """A program of the flow stopped, with the end of its log."""
