"""What stands in the file of a calibration, table by table."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, Strict, model_validator

from lineside.config.table import Id, Table, contradiction
from lineside.core.pixel_format import PixelFormat

__all__ = [
    "CalibrationTable",
    "CameraTable",
    "Fact",
    "FlatTable",
    "Kind",
    "LensTable",
    "LightTable",
    "PlaneTable",
    "SensorTable",
    "TargetUsed",
]

Kind = Literal["lens", "plane", "flat", "light"]
Fact = str | int | float | bool
Pair = Annotated[tuple[float, float], Strict(False)]
Triple = Annotated[tuple[float, float, float], Strict(False)]
Side = Annotated[int, Field(ge=1, le=65_535)]
Positive = Annotated[float, Field(gt=0)]


def _known_format(name: str) -> str:
    if name not in [known.value for known in PixelFormat if not known.device_only]:
        raise contradiction(f"pixel format {name!r}", expected="Mono8/10/12/16, RGB8 or BGR8", remedy="calibrate anew")
    return name


class CameraTable(Table):
    """The camera that was calibrated, as it reported itself, and its pictures."""

    serial: Annotated[str, Field(min_length=1)]
    """Serial number: a calibration belongs to one camera with one lens."""
    model: str = ""
    """Model, where the camera told it."""
    size_px: Annotated[tuple[Side, Side], Strict(False)]
    """Width and height of its pictures."""
    pixel_format: Annotated[str, AfterValidator(_known_format)]
    """Pixel format of its pictures, by its GenICam name."""
    geometry: dict[str, str] | None = None
    """Its settings of region of interest, binning and mirroring; absent where files were calibrated from."""


class TargetUsed(Table):
    """The target that was looked at, and how large it really is."""

    id: Id
    """Id, as printed on it."""
    revision: Annotated[int, Field(ge=1)]
    """Revision, as printed on it."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of its description."""
    scale: Pair = (1.0, 1.0)
    """True size over nominal size, across and down the sheet, by its rulers."""
    scale_uncertainty: Annotated[float, Field(ge=0, lt=0.1)]
    """Relative standard uncertainty of that."""


class LensTable(Table):
    """Lens and distortion, in px; see `core.calibration.Lens`."""

    model: Annotated[str, Field(min_length=1)]
    """Which distortion figures were fitted: the fewest that the pictures call for."""
    focal_px: Positive
    """Focal length."""
    centre_px: Pair
    """Where the optical axis meets the picture."""
    distortion: Annotated[tuple[float, float, float, float, float], Strict(False)]
    """k1, k2, p1, p2, k3."""


class PlaneTable(Table):
    """The plane of the parts before the camera; see `core.calibration.Plane`."""

    lens_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The lens calibration that it was measured with."""
    rotation_rad: Triple
    """Rotation vector of the target."""
    translation_mm: Triple
    """Place of the target's origin before the camera."""
    height_mm: float
    """How far above the target's face parts are measured, towards the camera."""
    tilt_deg: Annotated[float, Field(ge=0, lt=90)]
    """Angle between the optical axis and the plane's normal."""
    mm_per_px: Positive
    """In the middle of the picture."""
    mm_per_px_range: Pair
    """Smallest and largest over the picture."""


class SensorTable(Table):
    """Noise and linearity in the terms of EMVA 1288, from flat frames at several exposures."""

    levels: Annotated[int, Field(ge=1)]
    """How many exposures were looked at."""
    system_gain_dn_per_e: Positive
    """Overall system gain K, by photon transfer: grey levels for each electron."""
    temporal_dark_noise_dn: Annotated[float, Field(ge=0)]
    """Temporal noise in the dark in grey levels, that of rounding to grey levels included."""
    temporal_dark_noise_e: Annotated[float, Field(ge=0)]
    """Temporal noise in the dark in electrons, that of rounding to grey levels taken out."""
    saturation_capacity_e: Positive | None = None
    """Electrons at saturation; left out where no exposure reached it."""
    snr_max: Positive | None = None
    """Largest signal-to-noise ratio: the root of the saturation capacity."""
    linearity_error: Annotated[float, Field(ge=0)] | None = None
    """Mean departure from the line through all exposures between 5 and 95 % of saturation, as a share of the signal."""
    dsnu_e: Annotated[float, Field(ge=0)]
    """Dark signal non-uniformity in electrons: standard deviation over the pixels."""
    prnu: Annotated[float, Field(ge=0)]
    """Photo response non-uniformity as a share of the signal: standard deviation over the pixels, shading aside."""


class FlatTable(Table):
    """The flat field; its maps are in the arrays `offset`, `gain` and `bad`, see `imaging.flat_field`."""

    frames_dark: Annotated[int, Field(ge=1)]
    """Frames in the dark that were used."""
    frames_flat: Annotated[int, Field(ge=1)]
    """Frames of an evenly lit white that were used."""
    exposure_us: Positive | None = None
    """Exposure time of both, where it is known: the offset holds for that one."""
    dark_mean_dn: Annotated[float, Field(ge=0)]
    """Mean of the dark frames in grey levels."""
    flat_mean_dn: Positive
    """Mean of the flat frames in grey levels."""
    gain_range: Pair
    """Smallest and largest gain of a good pixel."""
    vignetting: Annotated[float, Field(ge=0, lt=1)]
    """How much darker the darkest part of the frame is than the brightest, as a share of the brightest."""
    dead_pixels: Annotated[int, Field(ge=0)]
    """Pixels that see too little."""
    hot_pixels: Annotated[int, Field(ge=0)]
    """Pixels that are bright in the dark, see too much, or are restless."""
    sensor: SensorTable | None = None
    """Noise and linearity, where several exposures were given."""


class LightTable(Table):
    """Brightness, colour and sharpness of good pictures; region by region in the arrays, see `imaging.light_grid`."""

    grid: Annotated[tuple[Side, Side], Strict(False)]
    """Regions across and down."""
    pictures: Annotated[int, Field(ge=2)]
    """Good pictures that were used."""
    brightness: Positive
    """Mean brightness of the whole frame, as a share of the largest value."""
    evenness: Annotated[float, Field(gt=0, le=1)]
    """Brightness of the darkest region over that of the brightest."""
    sharpness: Annotated[float, Field(ge=0)]
    """Mean strength of edges, as a share of the brightness."""
    colour: Triple | None = None
    """Shares of red, green and blue; for pictures in colour."""


class CalibrationTable(Table):
    """One calibration: who, when, with what, and what came out."""

    station: Id
    """The station that it belongs to."""
    view: Id
    """The view of that station."""
    kind: Kind
    """What was calibrated; its figures stand in the table of that name."""
    revision: Annotated[int, Field(ge=1)]
    """Counts up with every calibration of that view and kind."""
    made_utc: AwareDatetime
    """When, in UTC."""
    made_by: Annotated[str, Field(min_length=1)]
    """Who."""
    temperature_c: float | None = None
    """Temperature in °C, where it was measured."""
    camera: CameraTable
    """The camera."""
    target: TargetUsed | None = None
    """The target, where one was used."""
    settings: dict[str, Fact] = Field(default_factory=dict)
    """How it was done: counts, thresholds, declared uncertainties, version."""
    residuals: dict[str, float] = Field(default_factory=dict)
    """What the model leaves unexplained, with units in the names."""
    uncertainty: dict[str, float] = Field(default_factory=dict)
    """Standard uncertainties of what came out, with units in the names."""
    lens: LensTable | None = None
    """Kind "lens"."""
    plane: PlaneTable | None = None
    """Kind "plane"."""
    flat: FlatTable | None = None
    """Kind "flat"."""
    light: LightTable | None = None
    """Kind "light"."""
    arrays_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of the .npz file beside this one; empty where there is none."""

    @model_validator(mode="after")
    def _figures_of_its_kind(self) -> Self:
        told = [kind for kind in ("lens", "plane", "flat", "light") if getattr(self, kind) is not None]
        if told != [self.kind]:
            raise contradiction(
                f'a calibration of kind "{self.kind}" with the tables {told}',
                expected=f"[{self.kind}] alone",
                remedy="calibrate anew",
            )
        return self

    @property
    def id(self) -> str:
        """Station, view and kind in one word, as verdicts name it."""
        return f"{self.station}/{self.view}.{self.kind}"
