"""Where builds are kept: in a checkout its ``build`` folder, otherwise the user's cache folder.

``WEFT_CACHE`` names another folder. The user's folder follows the platform:
``$XDG_CACHE_HOME/weft`` or ``~/.cache/weft`` on Linux, ``~/Library/Caches/weft`` on macOS,
``%LOCALAPPDATA%\\weft`` on Windows.
"""

import os
import sys
from pathlib import Path

__all__ = ["build_root", "checkout"]


def checkout() -> Path | None:
    """The root of the checkout that this package runs from, or None if it is installed."""
    root = Path(__file__).resolve().parents[3]
    is_checkout = (root / "pyproject.toml").is_file() and (root / "hw" / "weft_hw").is_dir()
    return root if is_checkout else None


def build_root() -> Path:
    """The folder that holds compiled chips, one folder each. It need not exist yet."""
    override = os.environ.get("WEFT_CACHE")
    if override:
        return Path(override).expanduser() / "rtl"
    root = checkout()
    if root is not None and os.access(root, os.W_OK):
        return root / "build" / "rtl"
    return _user_cache() / "rtl"


def _user_cache() -> Path:
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "weft"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "weft"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "weft"
