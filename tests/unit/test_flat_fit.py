"""A flat field and a sensor's figures, recovered from frames of a sensor whose truth is known."""

from functools import cache

import numpy as np
import pytest

from lineside.calibrate.flat_fit import DEAD, HOT, RESTLESS, FlatFit, fit_flat
from lineside.calibrate.frames import Shot, dark_stack, flat_stack, level_stack
from lineside.calibrate.sensor_fit import Level, SensorFit, fit_sensor
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.flat_field import FlatField
from lineside.testing.simulated_sensor import SimulatedSensor

SENSOR = SimulatedSensor(size_px=(160, 120), dead=5, hot=4, restless=3, seed=7)
HALF_E = 7_000.0


def shots(sensor: SimulatedSensor, electrons: float, count: int = 16, name: str = "flat") -> list[Shot]:
    return [
        Shot(name=f"{name}-{number:02}.png", pixels=sensor.frame(electrons, seed=number + int(electrons)))
        for number in range(count)
    ]


@cache
def fitted(sensor: SimulatedSensor = SENSOR) -> FlatFit:
    dark = dark_stack(shots(sensor, 0, name="dark"), sensor.pixel_format)
    return fit_flat(dark, flat_stack(shots(sensor, HALF_E), sensor.pixel_format), sensor.pixel_format)


@cache
def sensor_of(sensor: SimulatedSensor = SENSOR) -> SensorFit:
    fit = fitted(sensor)
    levels = [
        Level(exposure_us=share * 1000, stack=level_stack(shots(sensor, share * sensor.full_well_e, count=4)))
        for share in (0.02, 0.05, *np.arange(0.1, 0.8, 0.1), *np.arange(0.8, 1.11, 0.05))
    ]
    return fit_sensor(fit.dark, levels, fit.bad == 0, fit.response_sd)


def test_every_bad_pixel_is_found_by_its_kind_and_no_good_one() -> None:
    assert np.array_equal(fitted().bad, SENSOR.faults)
    assert {DEAD, HOT, RESTLESS} == set(np.unique(fitted().bad)) - {0}


def test_the_shading_of_the_lens_is_told() -> None:
    fit = fitted()

    assert abs(fit.vignetting - SENSOR.vignetting) < 0.01
    assert abs(fit.shading / SENSOR.shading - 1).max() < 0.01


def test_a_corrected_frame_is_flat_to_its_noise() -> None:
    """A frame that the maps have not seen: shading of 30 % and responses that differ by 1 % are gone."""
    before = SENSOR.frame(5_000.0, seed=4711)
    after = FlatField(fitted().maps).apply(before)
    good = SENSOR.faults == 0
    # Shot noise and the dark's in grey levels, enlarged by the gain, the maps' own noise in it.
    electrons = 5_000.0 * SENSOR.response
    noise = SENSOR.gain_dn_per_e * np.sqrt(electrons + SENSOR.dark_noise_e**2) * fitted().maps.gain
    expected = float(np.sqrt((noise[good] ** 2).mean() + (fitted().gain_sd * after.mean()) ** 2))

    assert before[good].std() > 4 * after[good].std()
    assert abs(float(after[good].std()) / expected - 1) < 0.05
    assert abs(after[~good].astype(float) - after[good].mean()).max() < 5 * expected


def test_gain_and_noise_are_what_the_sensor_has() -> None:
    found = sensor_of()

    assert abs(found.gain_dn_per_e / SENSOR.gain_dn_per_e - 1) < 0.01
    assert abs(found.gain_dn_per_e - SENSOR.gain_dn_per_e) < 4 * found.gain_sd
    assert abs(found.dark_noise_e / SENSOR.dark_noise_e - 1) < 0.03
    assert not found.dark_noise_is_limit
    assert abs(found.dsnu_e / SENSOR.dsnu_e - 1) < 0.05
    assert abs(found.prnu / SENSOR.prnu - 1) < 0.05


def test_saturation_is_found_to_the_spacing_of_the_exposures() -> None:
    """Levels are a twentieth of a full well apart, and the shading blurs the end by as much again."""
    found = sensor_of()

    assert found.saturation_e is not None and found.snr_max is not None
    assert abs(found.saturation_e / SENSOR.full_well_e - 1) < 0.1
    assert found.snr_max == pytest.approx(found.saturation_e**0.5)


@pytest.mark.parametrize("bent", [0.0, 0.04])
def test_a_bent_response_is_told_as_linearity_error(bent: float) -> None:
    sensor = SimulatedSensor(size_px=(80, 60), bent=bent, vignetting=0.0)
    shares = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    dark = dark_stack(shots(sensor, 0, name="dark"), sensor.pixel_format)
    stacks = [level_stack(shots(sensor, share * sensor.full_well_e)) for share in shares]
    levels = [Level(exposure_us=each, stack=stack) for each, stack in zip(shares, stacks, strict=True)]
    found = fit_sensor(dark, levels, np.ones((60, 80), np.bool_), 0.01)

    # The same definition on the true response: departures from the line with the smallest relative ones.
    truth = shares * (1 - bent * shares)
    within = (truth >= 0.05 * truth[-1]) & (truth <= 0.95 * truth[-1])
    terms = np.column_stack([np.ones_like(shares), shares])[within]
    line = terms @ np.linalg.lstsq(terms / truth[within, None], np.ones(within.sum()), rcond=None)[0]
    assert found.linearity_error == pytest.approx(float(np.abs(truth[within] / line - 1).mean()), abs=2e-4)
    assert found.saturation_e is None, "no exposure reached it"


def test_noise_that_rounding_hides_is_a_limit_and_no_figure() -> None:
    sensor = SimulatedSensor(
        size_px=(80, 60), pixel_format=PixelFormat.MONO8, gain_dn_per_e=0.015, dark_noise_e=8, offset_dn=5
    )
    dark = dark_stack(shots(sensor, 0, name="dark"), sensor.pixel_format)
    levels = [
        Level(exposure_us=share, stack=level_stack(shots(sensor, share * sensor.full_well_e)))
        for share in (0.1, 0.3, 0.5, 0.7, 0.9)
    ]
    found = fit_sensor(dark, levels, np.ones((60, 80), np.bool_), 0.01)

    assert found.dark_noise_is_limit
    assert found.dark_noise_e > sensor.dark_noise_e


@pytest.mark.parametrize("pixel_format", [PixelFormat.BGR8, PixelFormat.RGB8])
def test_a_camera_of_three_colours_gets_maps_for_each_and_keeps_its_white(pixel_format: PixelFormat) -> None:
    grey = [
        SimulatedSensor(size_px=(80, 60), pixel_format=PixelFormat.MONO8, gain_dn_per_e=0.014, offset_dn=4,
                        vignetting=darker, dead=1, seed=seed)
        for seed, darker in enumerate((0.2, 0.3, 0.4))
    ]  # fmt: skip

    def taken(electrons: float, name: str) -> list[Shot]:
        return [
            Shot(name=f"{name}-{number}", pixels=np.stack([each.frame(electrons, number) for each in grey], axis=-1))
            for number in range(12)
        ]

    fit = fit_flat(
        dark_stack(taken(0, "dark"), pixel_format),
        flat_stack(taken(9_000, "flat"), pixel_format),
        pixel_format,
    )
    raw = taken(9_000, "again")[0].pixels
    corrected = FlatField(fit.maps).apply(raw).astype(float)

    assert [int((fit.bad[..., channel] == DEAD).sum()) for channel in range(3)] == [1, 1, 1]
    for channel in range(3):
        assert abs(corrected[..., channel].mean() - raw[..., channel].mean() + 4) < 1.0, "the offset, and no more"
        assert corrected[30, :, channel].std() < 3.0


# What is refused or left out


def with_a_shadow(pixels: np.ndarray) -> np.ndarray:
    spoiled = pixels.astype(float)
    spoiled[70:100, 20:60] *= 0.85
    return spoiled.astype(pixels.dtype)


def test_a_shadow_in_the_white_is_refused_with_its_place() -> None:
    white = [Shot(name=each.name, pixels=with_a_shadow(each.pixels)) for each in shots(SENSOR, HALF_E)]

    with pytest.raises(ConfigError, match=r"the white is uneven: -\d+\.\d% near x \d+, y \d+ px") as refused:
        fit_flat(fitted().dark, flat_stack(white, SENSOR.pixel_format), SENSOR.pixel_format)
    assert "shadow" in refused.value.remedy


def test_frames_that_are_no_good_are_left_out_each_with_its_reason() -> None:
    white = shots(SENSOR, HALF_E, count=12)
    spots = SENSOR.frame(HALF_E, seed=1)
    spots.flat[::120] = 4095
    spoiled = {
        "bright": SENSOR.frame(HALF_E * 1.06, seed=1),
        "clipped": spots,
        "dark": SENSOR.frame(HALF_E / 4, seed=1),
        "moved": with_a_shadow(SENSOR.frame(HALF_E, seed=1)),
        "white": SENSOR.frame(3 * HALF_E, seed=1).clip(4000),
    }
    bad = [Shot(name=name, pixels=pixels) for name, pixels in spoiled.items()]
    stack = flat_stack([*white, *bad], SENSOR.pixel_format)
    reasons = {each.name: each.reason for each in stack.left_out}

    assert stack.count == 12
    assert reasons.keys() == spoiled.keys()
    assert "the light is not steady" in reasons["bright"]
    assert "clipped" in reasons["clipped"]
    assert "too dark" in reasons["dark"]
    assert "something moved" in reasons["moved"]
    assert "too bright" in reasons["white"]


def test_too_few_frames_are_refused_and_named() -> None:
    white = [*shots(SENSOR, HALF_E, count=5), *shots(SENSOR, 20_000, count=4, name="bright")]

    with pytest.raises(ConfigError, match=r"5 of 9 frames are of use\nbright-00.png: ") as refused:
        flat_stack(white, SENSOR.pixel_format)
    assert "at least 8" in refused.value.expected


def test_a_flickering_lamp_is_refused() -> None:
    random = np.random.default_rng(0)
    white = [Shot(name=f"{n}", pixels=SENSOR.frame(HALF_E * random.uniform(0.85, 1.15), n)) for n in range(16)]

    with pytest.raises(ConfigError, match="the light is not steady"):
        flat_stack(white, SENSOR.pixel_format)


def test_a_dark_that_is_not_dark_is_refused() -> None:
    with pytest.raises(ConfigError, match="not dark: mean") as refused:
        dark_stack(shots(SENSOR, 3_000, name="dark"), SENSOR.pixel_format)
    assert "cover the lens" in refused.value.remedy


def test_a_corner_in_the_dark_and_a_broken_sensor_are_refused() -> None:
    dim = SimulatedSensor(size_px=(160, 120), vignetting=0.7)
    with pytest.raises(ConfigError, match="darker than the brightest"):
        fitted(dim)
    with pytest.raises(ConfigError, match="of the pixels are bad"):
        fitted(SimulatedSensor(size_px=(160, 120), dead=200))


def test_a_camera_that_smooths_its_noise_is_refused() -> None:
    levels = [
        Level(exposure_us=level, stack=level_stack([Shot(name="", pixels=np.full((60, 80), level, np.uint8))] * 2))
        for level in (40, 80, 120, 160, 200)
    ]
    dark = dark_stack(
        [Shot(name=str(n), pixels=np.full((60, 80), 3 + n % 2, np.uint8)) for n in range(8)], PixelFormat.MONO8
    )
    with pytest.raises(ConfigError, match="noise does not grow"):
        fit_sensor(dark, levels, np.ones((60, 80), np.bool_), 0.0)
