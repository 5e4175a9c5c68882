"""Where a station serves, and how much it admits."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServeOptions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeOptions:
    """Addresses and limits of the server. At least one address is needed.

    `tcp` is "host:port" (port 0: any free one) or empty; `unix` the path of a socket or empty.
    """

    tcp: str = "127.0.0.1:50051"
    unix: str = ""
    max_message_bytes: int = 64 * 1024 * 1024
    """Largest request, an image among them; the largest frame of the line plus 1 MB is enough."""
    max_readers: int = 64
    """Live StreamVerdicts calls."""
    heartbeat_ms: int = 500
    """Pause after which an idle stream says that it lives, where the reader asked for no other."""
    max_unacknowledged: int = 1024
    """How far a named reader may be ahead of its acknowledgement, where it asked for no other."""
    max_stream_message_bytes: int = 256 * 1024
    """Size at which a message with several verdicts is sent; a single larger verdict still goes."""
    stalled_after_s: float = 10.0
    """A reader that takes no message, or acknowledges nothing while its window is full, is cut off after so long."""
    max_pushed_in_flight: int = 16
    """Frames of one PushFrames call that are being judged; beyond that the station stops reading the call."""
    max_calls: int = 512
    """Calls in progress over all connections; one more is refused at once."""
    max_image_bytes: int = 256 * 1024 * 1024
    """Images being judged over all calls, as they were sent; memory holds each up to three times."""
    ping_after_ms: int = 800
    """A connection that was silent for so long is asked for a sign of life, and …"""
    ping_timeout_ms: int = 700
    """… dropped when none comes in so long: together a dead peer is gone within 2 s."""
