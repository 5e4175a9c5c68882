"""Which one exactly: id, revision and content hash of a model, recipe or calibration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Identity", "sha256_of_file", "sha256_of_value"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Names one revision of one thing by its content. `sha256` is 64 lower-case hex digits."""

    id: str
    revision: int = 0
    sha256: str = ""


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the file's bytes in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_value(value: object) -> str:
    """SHA-256 of a JSON value, independent of key order and white space."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
