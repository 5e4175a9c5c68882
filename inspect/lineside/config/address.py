"""TCP addresses of a station, "host:port"."""

from __future__ import annotations

import ipaddress
import re

from lineside.config.table import contradiction

__all__ = ["checked_address", "split_address"]


def split_address(address: str) -> tuple[str, int] | None:
    """Host and port; None for what is none."""
    parts = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^\s:\[\]]+)):(?P<port>\d{1,5})", address)
    if parts is None or int(parts["port"]) > 65_535 or (parts["six"] and not _is_ipv6(parts["six"])):
        return None
    return parts["six"] or parts["host"], int(parts["port"])


def checked_address(address: str) -> str:
    """The same address, for a validator: empty, or a host and a port."""
    if address and split_address(address) is None:
        raise contradiction(
            f'tcp is "{address}"',
            expected='"host:port" with a port from 0 to 65535, such as "127.0.0.1:50051" or "[::1]:50051"',
            remedy='correct the address, or write "" for no TCP',
        )
    return address


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
