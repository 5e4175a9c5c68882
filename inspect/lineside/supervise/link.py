"""A two-way line between the station and one child: whole messages or nothing.

SOCK_SEQPACKET keeps message boundaries, so a child that is stopped in the middle of a write can never leave the station
waiting for the rest of a message, as a pipe would.
"""

from __future__ import annotations

import pickle
import select
import socket

__all__ = ["Link", "LinkClosed", "MessageTooLarge", "link_pair"]

_SEND_BUFFER_BYTES = 212_992
"""What an unprivileged process may ask for on Linux (net.core.wmem_max); the kernel doubles it."""

_RECEIVE_BYTES = 1 << 19
"""More than the doubled send buffer holds, so that no message is ever cut."""


class LinkClosed(Exception):
    """The other side is gone."""


class MessageTooLarge(Exception):
    """The message does not fit into one packet."""


class Link:
    """One end of the line. Messages are pickled: both ends are our own processes, and nothing else can reach them."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        # Received into the same memory each time: new memory of that size for each message costs 15 us (measured).
        self._received = memoryview(bytearray(_RECEIVE_BYTES))

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: object) -> bool:
        """Sends without waiting; False when the other side has stopped reading.

        Raises: LinkClosed, MessageTooLarge.
        """
        try:
            self._socket.send(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError) as error:
            raise LinkClosed from error
        except OSError as error:
            raise MessageTooLarge(str(error)) from error
        return True

    def send_waiting(self, message: object) -> None:
        """Sends, waiting for as long as the other side needs. Raises: LinkClosed, MessageTooLarge."""
        while not self.send(message):
            select.select([], [self._socket], [], 1.0)

    def receive(self, timeout_s: float = 0.0) -> object | None:
        """The next message, or None when none came in time. Raises: LinkClosed."""
        if timeout_s > 0 and not select.select([self._socket], [], [], timeout_s)[0]:
            return None
        try:
            length = self._receive_packet()
        except BlockingIOError:
            return None
        except ConnectionResetError as error:
            raise LinkClosed from error
        if not length:
            raise LinkClosed
        message: object = pickle.loads(self._received[:length])
        return message

    def _receive_packet(self) -> int:
        try:
            return self._socket.recv_into(self._received)
        except ConnectionResetError:
            # The other side ended with messages of ours unread. Linux says so first; what it had sent is still there.
            return self._socket.recv_into(self._received)

    def close(self) -> None:
        self._socket.close()


def link_pair() -> tuple[Link, socket.socket]:
    """The station's end, and the socket to hand to the child."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Link(ours), theirs
