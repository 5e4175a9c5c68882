"""The path of a unix socket: taken over only from the dead, readable by owner and group, gone at the end."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

from lineside.core.errors import ConfigError

__all__ = ["UnixSocketPath"]

_MAX_PATH_BYTES = 107  # sun_path of Linux, less the final zero
_MODE = 0o660


class UnixSocketPath:
    """The path that one server listens on.

    gRPC unlinks whatever socket it finds at the path, a live one of another station too: `claim` looks before it leaps.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode: int | None = None

    def claim(self) -> str:
        """Called before binding: removes a socket that nobody listens on; returns gRPC's name for the path.

        Raises: ConfigError when the path is too long, is no socket, or another process listens there.
        """
        if len(str(self._path).encode()) > _MAX_PATH_BYTES:
            raise ConfigError(
                f"unix socket {self._path} has a path of {len(str(self._path).encode())} bytes",
                expected=f"at most {_MAX_PATH_BYTES}",
                remedy="choose a shorter one, below /run for example",
            )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() or self._path.is_symlink():
            if not stat.S_ISSOCK(self._path.lstat().st_mode):
                raise ConfigError(
                    f"{self._path} exists and is no socket",
                    expected="a free path, or a socket left behind",
                    remedy="move it away, or choose another path for [serve] unix",
                )
            if _somebody_listens(self._path):
                raise ConfigError(
                    f"another process listens on {self._path}",
                    expected="one station per socket",
                    remedy="stop the other station, or choose another path for [serve] unix",
                )
            self._path.unlink()
        return f"unix:{self._path}"

    def restrict(self) -> None:
        """Called after binding, before serving: owner and group may connect, nobody else."""
        self._path.chmod(_MODE)
        self._inode = self._path.stat().st_ino

    def release(self) -> None:
        """Called at the end: removes the socket unless another server has put its own in place."""
        if self._inode is not None and self._path.exists() and self._path.stat().st_ino == self._inode:
            self._path.unlink()


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except TimeoutError:
            return True
    return True
