"""A serial port by the standard library: ``termios`` serves a tty and a pseudo-terminal alike.

pyserial would add Windows, which nothing else here supports, and a dependency.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import termios
import time
import tty

from .errors import SerialError

__all__ = ["BAUDS", "Port"]

#: Speeds that this system's terminals know.
BAUDS = {
    int(name[1:]): getattr(termios, name)
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdecimal() and name != "B0"
}


class Port:
    """A terminal in raw mode, 8N1, without flow control, for one program at a time.

    Raises
    ------
    ValueError
        for a speed that the system does not know, or a path that is no terminal.
    OSError
        if it cannot be opened.
    SerialError
        if another program has it.
    """

    def __init__(self, path: str, baud: int) -> None:
        if baud not in BAUDS:
            fast = ", ".join(str(each) for each in sorted(BAUDS) if each >= 115_200)
            raise ValueError(f"baud must be a speed that the system knows ({fast}), not {baud}")
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            self._set_up(baud)
        except BaseException:
            self.close()
            raise

    def _set_up(self, baud: int) -> None:
        if not os.isatty(self._descriptor):
            raise ValueError(f"serial port must be a terminal, and {self.path} is none")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SerialError(
                f"{self.path} is in use by another program; close that first"
            ) from None
        tty.setraw(self._descriptor)
        mode = termios.tcgetattr(self._descriptor)
        mode[2] = (mode[2] | termios.CLOCAL | termios.CREAD) & ~(termios.CSTOPB | termios.CRTSCTS)
        mode[4] = mode[5] = BAUDS[baud]
        termios.tcsetattr(self._descriptor, termios.TCSANOW, mode)
        termios.tcflush(self._descriptor, termios.TCIOFLUSH)

    def write(self, data: bytes, deadline: float) -> None:
        """Sends all of ``data``.

        Raises
        ------
        TimeoutError
            if the line does not take it before ``deadline`` (``time.monotonic``).
        SerialError
            if the port is gone.
        """
        rest = memoryview(data)
        while rest:
            if not select.select([], [self._descriptor], [], _left(deadline))[1]:
                raise TimeoutError(f"{self.path} does not take what is sent")
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone(error) from error

    def read(self, deadline: float) -> bytes:
        """What has arrived, at least a byte; nothing once ``deadline`` has passed."""
        if not select.select([self._descriptor], [], [], _left(deadline))[0]:
            return b""
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error) from error
        if not data:
            raise self._gone(OSError(errno.EIO, "end of file"))
        return data

    def close(self) -> None:
        """Gives the port back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _gone(self, error: OSError) -> SerialError:
        return SerialError(
            f"{self.path} is gone ({error.strerror}); is the board still plugged in?"
        )


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
