"""One page about one calibration, from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineside.config.calibration_file import CalibrationFile
from lineside.core.errors import ConfigError

__all__ = ["calibration_page", "written"]

Rows = Sequence[tuple[str, ...]]


def calibration_page(file: CalibrationFile, **facts: Any) -> str:
    """The page; `facts` are what the template names beside the identity. Raises: ConfigError without the extra."""
    table = file.table
    target = table.target
    identity: Rows = [
        ("calibration", f"{file.identity.id}, revision {file.identity.revision}"),
        ("made", f"{table.made_utc:%Y-%m-%d %H:%M} UTC by {table.made_by}"),
        ("temperature", "not measured" if table.temperature_c is None else f"{table.temperature_c:g} °C"),
        ("camera", f"{table.camera.model} {table.camera.serial}".strip()),
        ("pictures", f"{table.camera.size_px[0]} x {table.camera.size_px[1]} px, {table.camera.pixel_format}"),
        ("target", f"{target.id}, revision {target.revision}, {target.sha256[:12]}" if target else "none"),
        ("SHA-256", file.identity.sha256),
    ]
    return written("page.html.j2", table=table, identity=identity, **facts)


def written(template: str, **facts: Any) -> str:
    """A template of this folder, filled in. Raises: ConfigError without the extra."""
    try:
        from lineside.page.template import environment  # noqa: PLC0415 - needs the extra
    except ImportError as error:
        raise ConfigError(
            "jinja2 is not installed", expected="the extra", remedy='pip install "lineside[calibrate]"'
        ) from error
    return environment("lineside.calibrate.report").get_template(template).render(**facts)
