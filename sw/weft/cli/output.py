"""Places to write results to, tried before anything long runs."""

from __future__ import annotations

from pathlib import Path

__all__ = ["output_file", "output_folder"]


def output_folder(path: Path) -> Path:
    """Makes a folder, and those above it.

    Raises
    ------
    ValueError
        if it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".weft_probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{path}: cannot be written to as a folder: {reason}; give another"
        raise ValueError(message) from None
    return path


def output_file(path: Path) -> Path:
    """A file that may be written; its folder is made.

    Raises
    ------
    ValueError
        if it is a folder, or its folder cannot be made or written to.
    """
    if path.is_dir():
        raise ValueError(f"{path}: cannot be written: Is a directory; give the name of a file")
    output_folder(path.parent)
    return path
