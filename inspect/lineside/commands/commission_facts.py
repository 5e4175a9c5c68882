"""The facts of the machine and the station that stand in a commissioning report."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lineside import __version__
from lineside.wire.v1 import inspection_pb2 as pb

__all__ = ["machine_facts", "station_facts"]

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino")


def machine_facts() -> dict[str, str]:
    """What the figures depend on, of this machine."""
    facts = {
        "machine": platform.node(),
        "processor": _first_value(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int((_first_value(Path('/proc/meminfo'), 'MemTotal') or '0').split()[0]) / 1024 / 1024:.1f} GiB",
        "clock governor": _text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or "not told",
        "load before (1 min)": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Lineside": __version__,
    }
    for name in _RUNTIMES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue
    for gpu in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        facts[f"GPU {gpu.parent.name}"] = _first_value(gpu, "Model") or "not told"
    return facts


def station_facts(status: pb.GetStationStatusResponse) -> dict[str, str]:
    """What judged, by content, as the station itself says."""
    facts = {
        "station": f"{status.station_id} on line {status.line_id}",
        "provider": status.provider,
        "recipe": _named(status.recipe),
        "calibration": _named(status.calibration),
        "configuration": status.config_fingerprint,
    }
    for model in status.models:
        facts[f"model {model.id}"] = f"revision {model.revision}, SHA-256 {model.sha256}"
    for camera in status.cameras:
        facts[f"camera {camera.view}"] = f"{camera.backend}, {camera.model}, serial {camera.serial}"
    return facts


def _named(identity: pb.Identity) -> str:
    return f"{identity.id}, revision {identity.revision}, SHA-256 {identity.sha256}"


def _first_value(path: Path, key: str) -> str:
    for line in _text(path).splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() == key:
            return value.strip()
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
