"""The light of good pictures, and where a part lies: as it is known to be."""

import numpy as np
import pytest
from simulated_part import SIZE, part

from lineside.calibrate.frames import Shot
from lineside.calibrate.light_fit import fit_light
from lineside.core.errors import ConfigError
from lineside.core.pixel_format import PixelFormat
from lineside.imaging.light_grid import light_of, placement_of, reference_picture


def shots(count: int = 6, **what: float) -> list[Shot]:
    return [Shot(name=f"good-{seed}.png", pixels=part(seed=seed, **what)) for seed in range(count)]  # type: ignore[arg-type]


def test_brightness_and_colour_of_a_region_are_its_means() -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:30] = (51, 102, 51)
    pixels[30:] = (0, 0, 204)
    seen = light_of(pixels, PixelFormat.RGB8, (2, 2))
    swapped = light_of(pixels[..., ::-1], PixelFormat.BGR8, (2, 2))

    assert seen.brightness[0] == pytest.approx((51 + 102 + 51) / 3 / 255, rel=1e-5)
    assert seen.colour[0, 0] == pytest.approx([0.25, 0.5, 0.25])
    assert seen.colour[1, 1] == pytest.approx([0, 0, 1])
    assert np.array_equal(seen.values, swapped.values)


def test_sharpness_falls_with_blur_and_not_with_the_lamp() -> None:
    sharp = light_of(part(), PixelFormat.MONO8).sharpness.mean()
    dim = light_of(part(light=0.7, noise=0.7 * 1.5), PixelFormat.MONO8).sharpness.mean()
    blurred = light_of(part(blur=2.5), PixelFormat.MONO8).sharpness.mean()

    assert dim == pytest.approx(sharp, rel=0.02)
    assert blurred < 0.8 * sharp


@pytest.mark.parametrize("seed", range(5))
def test_a_part_is_found_where_it_was_put(seed: int) -> None:
    random = np.random.default_rng(seed)
    shift, turn, scale = random.uniform(-8, 8, 2), random.uniform(-2, 2), random.uniform(0.98, 1.02)
    seen = placement_of(
        part(shift=(float(shift[0]), float(shift[1])), turn_deg=turn, scale=scale, light=0.8, seed=seed),
        reference_picture(part(seed=99)),
    )

    assert seen is not None
    assert abs(seen.shift_x_px - shift[0]) < 0.15
    assert abs(seen.shift_y_px - shift[1]) < 0.15
    assert abs(seen.rotation_deg - turn) < 0.05
    assert abs(seen.scale - scale) < 0.001


def test_another_picture_has_no_place_on_the_reference() -> None:
    reference = reference_picture(part())
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0])).astype(np.uint8)

    assert placement_of(noise, reference) is None
    assert placement_of(np.full((SIZE[1], SIZE[0]), 90, np.uint8), reference) is None


def test_good_pictures_give_their_mean_and_their_natural_scatter() -> None:
    random = np.random.default_rng(1)
    lamps = random.normal(1, 0.02, 24)
    pictures = [Shot(name=str(n), pixels=part(seed=n, light=float(lamp))) for n, lamp in enumerate(lamps)]
    fit = fit_light(pictures, PixelFormat.MONO8)

    level = part(noise=0).mean() / 255
    assert fit.mean[0].mean() == pytest.approx(level * lamps.mean(), rel=1e-3)
    assert fit.whole_scatter[0] == pytest.approx(level * lamps.std(ddof=1), rel=0.02)
    assert np.nanmax(np.abs(fit.placed[:, :2])) < 0.1
    assert not fit.warnings


def test_pictures_unlike_the_others_are_left_out_each_with_its_reason() -> None:
    clipped = part(light=0.9)
    clipped[:30] = 255
    spoiled = {"bright": part(light=1.4), "clipped": clipped, "blurred": part(blur=6.0), "off": part(light=0.02)}
    fit = fit_light(
        [*shots(), *(Shot(name=name, pixels=pixels) for name, pixels in spoiled.items())], PixelFormat.MONO8
    )
    reasons = {each.name: each.reason for each in fit.left_out}

    assert reasons.keys() == spoiled.keys()
    assert "brighter than the others" in reasons["bright"]
    assert "clipped: " in reasons["clipped"]
    assert "blurred: " in reasons["blurred"]
    assert "dark: " in reasons["off"]


def test_too_few_good_pictures_are_refused_and_named() -> None:
    with pytest.raises(ConfigError, match=r"4 of 5 pictures are of use\nblurred.png: blurred: ") as refused:
        fit_light([*shots(4), Shot(name="blurred.png", pixels=part(blur=6.0))], PixelFormat.MONO8)
    assert "at least 5" in refused.value.expected
