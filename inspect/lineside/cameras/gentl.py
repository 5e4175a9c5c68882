"""An open GenICam device, through Harvesters: its features and its buffers."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lineside.cameras.producers import FoundDevice, find_producers, found_device, searched_harvester, vendor_errors
from lineside.core.errors import CameraLost, ConfigError

__all__ = [
    "DamagedBuffer",
    "FeatureValue",
    "FilledBuffer",
    "GenicamDevice",
    "open_device",
]

FeatureValue = bool | int | float | str

_NODE_READABLE: Final = (3, 4)
"""GenApi's access modes RO and RW."""
_IMAGE_PAYLOADS: Final = (1, 4)
"""GenTL's PAYLOAD_TYPE_IMAGE, and PAYLOAD_TYPE_CHUNK_DATA of older producers: an image with chunks behind it."""
_FLOAT_TOLERANCE: Final = 1e-3
"""Devices round to steps of their clock; more than a thousandth is another setting."""
_POLL_MS: Final = 20
"""How long one wait inside the producer lasts; a fetch is late by this much at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilledBuffer:
    """Pixels as the device sent them; the memory is the producer's until `GenicamDevice.give_back`.

    `pixel_format` is the PFNC name that came with this very buffer. `timestamp_ns` is the device's own clock.
    """

    data: memoryview
    frame_id: int
    pixel_format: str
    width_px: int
    height_px: int
    padding_x_bytes: int
    timestamp_ns: int | None
    handle: object


@dataclass(frozen=True, kw_only=True, slots=True)
class DamagedBuffer:
    """A frame that was exposed and arrived incomplete, or not as an image."""

    why: str


class GenicamDevice(Protocol):
    """An open device. Any call may raise CameraLost."""

    @property
    def found(self) -> FoundDevice: ...

    def has(self, feature: str) -> bool:
        """True when the device has the feature now; which ones may depend on the others' values."""
        ...

    def apply(self, feature: str, value: FeatureValue) -> FeatureValue:
        """Writes a setting unless it holds already, reads it back and compares. Raises: ConfigError, with asked, got
        and the allowed range.
        """
        ...

    def expect(self, feature: str, value: FeatureValue) -> FeatureValue:
        """Reads a setting and compares. Raises: ConfigError."""
        ...

    def choices(self, feature: str) -> tuple[str, ...]:
        """What the device would take now as a setting that is chosen by name; nothing for any other."""
        ...

    def count(self, feature: str) -> int:
        """A number that the device changes by itself, read past every cache."""
        ...

    def unit(self, feature: str) -> str:
        """The unit that the device states for a number, or nothing."""
        ...

    def execute(self, command: str) -> None: ...

    def start(self) -> None:
        """Begins to acquire; old buffers are gone. Twice is fine."""
        ...

    def stop(self) -> None:
        """Ends it, whatever is under way. Twice is fine."""
        ...

    def fetch(self, timeout_ms: int) -> FilledBuffer | DamagedBuffer | None:
        """The oldest filled buffer, or None after the time; 0 asks for what is there already."""
        ...

    def give_back(self, buffer: FilledBuffer) -> None: ...

    def answers(self) -> None:
        """Reads a register of the device itself, past every cache. Raises: CameraLost."""
        ...

    def close(self) -> None:
        """Never raises."""
        ...


def open_device(producers: Sequence[str], serial: str) -> GenicamDevice:
    """Opens the device with that serial number for this program alone.

    Raises: ConfigError for the producers, CameraLost when the device is not there or not free.
    """
    with vendor_errors(f"camera {serial} cannot be opened", remedy="see that no other program holds it"):
        harvester = searched_harvester(find_producers(producers))
        try:
            infos = {found_device(info).serial: info for info in harvester.device_info_list}
            if serial not in infos:
                raise CameraLost(
                    f"there is no camera with serial {serial!r}",
                    expected=f"one of {', '.join(map(repr, infos)) or 'none: the producers find no camera'}",
                    remedy="see cable, power and network, and that no other camera of this process uses the producer",
                )
            found = found_device(infos[serial])
            with _interrupts_untouched():
                return _HarvestedDevice(found, harvester, harvester.create(infos[serial]))
        except BaseException:
            harvester.reset()
            raise


@contextlib.contextmanager
def _interrupts_untouched() -> Iterator[None]:
    """Harvesters takes over SIGINT when it runs in the main thread; it is not its to take."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


class _HarvestedDevice:
    """A GenicamDevice on top of a Harvesters ImageAcquirer."""

    def __init__(self, found: FoundDevice, harvester: Any, acquirer: Any) -> None:
        from harvesters.core import Callback  # noqa: PLC0415 - optional package

        self._found = found
        self._harvester = harvester
        self._acquirer = acquirer
        self._nodes = acquirer.remote_device.node_map
        self._incomplete = False
        self._acquirer.timeout_period_on_client_fetch_call = 1.0  # else Harvesters warns of every fetch; unused here
        self._acquirer.num_buffers = max(8, acquirer.min_num_buffers)

        class Noted(Callback):  # type: ignore[misc]
            def emit(_, context: object | None = None) -> None:  # noqa: N805
                self._incomplete = True

        acquirer.add_callback(acquirer.Events.INCOMPLETE_BUFFER, Noted())

    @property
    def found(self) -> FoundDevice:
        return self._found

    def _lost(self, doing: str) -> contextlib.AbstractContextManager[None]:
        return vendor_errors(f"camera {self._found.serial} does not answer: {doing}")

    def has(self, feature: str) -> bool:
        with self._lost(f"looking for {feature}"):
            return self._nodes.has_node(feature) and self._node(feature).get_access_mode() not in (0, 1)

    def _node(self, feature: str) -> Any:
        node = self._nodes.get_node(feature) if self._nodes.has_node(feature) else None
        if node is None:
            raise ConfigError(
                f"camera {self._found.serial} ({self._found.model}) has no feature {feature}",
                expected="a GenICam feature name of this model",
                remedy="see the camera's manual, and whether another feature must be set first",
            )
        return node

    def apply(self, feature: str, value: FeatureValue) -> FeatureValue:
        from genicam import genapi  # noqa: PLC0415 - optional package

        node = self._node(feature)
        refusal = ""
        with self._lost(f"setting {feature}"):
            if not (self._readable(node) and _same(node.value, value)):
                try:
                    node.value = value
                except (genapi.GenericException, TypeError) as error:
                    refusal = str(error).split(" : ", maxsplit=1)[0]
        return self._compared(feature, value, refusal)

    def expect(self, feature: str, value: FeatureValue) -> FeatureValue:
        return self._compared(feature, value, "")

    def _compared(self, feature: str, value: FeatureValue, refusal: str) -> FeatureValue:
        node = self._node(feature)
        with self._lost(f"reading {feature}"):
            got: FeatureValue | None = node.value if self._readable(node) else None
            if got is not None and not refusal and _same(got, value):
                return got
            raise ConfigError(
                f"camera {self._found.serial}: asked for {feature} = {value}, camera has {got}"
                + (f" ({refusal})" if refusal else ""),
                expected=_allowed(node),
                remedy="correct the station file",
            )

    @staticmethod
    def _readable(node: Any) -> bool:
        return node.get_access_mode() in _NODE_READABLE and hasattr(node, "value")

    def choices(self, feature: str) -> tuple[str, ...]:
        node = self._node(feature)
        with self._lost(f"reading the choices of {feature}"):
            return tuple(getattr(node, "symbolics", ()))

    def count(self, feature: str) -> int:
        node = self._node(feature)
        with self._lost(f"reading {feature}"):
            return int(node.get_value(False, True))

    def unit(self, feature: str) -> str:
        return str(getattr(self._node(feature), "unit", ""))

    def execute(self, command: str) -> None:
        with self._lost(command):
            self._node(command).execute()

    def start(self) -> None:
        if not self._acquirer.is_acquiring():
            with self._lost("starting acquisition"):
                self._acquirer.start()

    def stop(self) -> None:
        with self._lost("stopping acquisition"):
            self._acquirer.stop()

    def fetch(self, timeout_ms: int) -> FilledBuffer | DamagedBuffer | None:
        self._incomplete = False
        with self._lost("fetching a frame"):
            # Harvesters takes 0 for "for ever".
            self._acquirer.timeout_period_on_update_event_data_call = min(max(timeout_ms, 1), _POLL_MS)
            raw = self._acquirer.try_fetch(timeout=max(timeout_ms, 1) / 1000, is_raw=True)
            if raw is None:
                return DamagedBuffer(why="the buffer arrived incomplete") if self._incomplete else None
            damage = _damage(raw)
            if damage:
                raw.parent.queue_buffer(raw)
                return DamagedBuffer(why=damage)
            return FilledBuffer(
                data=memoryview(raw.raw_buffer)[int(_told(raw, "image_offset", 0)) :],
                frame_id=int(raw.frame_id),
                pixel_format=_pfnc_name(raw.pixel_format),
                width_px=int(raw.width),
                height_px=int(raw.height),
                padding_x_bytes=int(_told(raw, "padding_x", 0)),
                timestamp_ns=_told(raw, "timestamp_ns", None),
                handle=raw,
            )

    def give_back(self, buffer: FilledBuffer) -> None:
        raw: Any = buffer.handle
        with self._lost("giving a buffer back"):
            raw.parent.queue_buffer(raw)

    def answers(self) -> None:
        with self._lost("reading its width"):
            self._nodes.Width.get_value(False, True)

    def close(self) -> None:
        try:
            with self._lost("closing"):
                self._harvester.reset()
        except CameraLost as error:  # it is being left anyway
            logging.getLogger("harvesters").warning("%s", error)


def _same(got: FeatureValue, wanted: FeatureValue) -> bool:
    if isinstance(got, bool) or isinstance(wanted, bool) or isinstance(got, str) or isinstance(wanted, str):
        return type(got) is type(wanted) and got == wanted
    if isinstance(got, int):
        return got == wanted
    return math.isclose(got, wanted, rel_tol=_FLOAT_TOLERANCE, abs_tol=1e-9)


def _allowed(node: Any) -> str:
    """What the device would take now, in words."""
    if hasattr(node, "symbolics"):
        return f"one of {', '.join(node.symbolics)}"
    if not hasattr(node, "min"):
        return "a value that the camera takes"
    unit = f" {node.unit}" if getattr(node, "unit", "") else ""
    step = f" in steps of {node.inc}" if isinstance(node.min, int) else ""
    return f"{node.min} to {node.max}{unit}{step}"


def _told(raw: Any, name: str, otherwise: Any) -> Any:
    from genicam import gentl  # noqa: PLC0415 - optional package

    try:
        return getattr(raw, name)
    except gentl.GenericException:  # GenTL makes most facts about a buffer optional
        return otherwise


def _damage(raw: Any) -> str:
    """Why this complete buffer is no whole image, or nothing."""
    if raw.payload_type not in _IMAGE_PAYLOADS:
        return f"buffer of GenTL payload type {raw.payload_type}, expected an image (1)"
    larger = getattr(raw, "has_received_larger_payload", None)
    if callable(larger) and _told_by(larger):
        return "the image is larger than the buffer announced for it"
    delivered = int(_told(raw, "delivered_image_height", 0)) or int(raw.height)
    if delivered != int(raw.height):
        return f"{delivered} of {raw.height} rows arrived"
    return ""


def _told_by(question: Any) -> bool:
    from genicam import gentl  # noqa: PLC0415 - optional package

    try:
        return bool(question())
    except gentl.GenericException:
        return False


def _pfnc_name(value: int) -> str:
    from harvesters.util.pfnc import dict_by_ints  # noqa: PLC0415 - optional package

    return str(dict_by_ints.get(value, f"{value:#010x}"))
