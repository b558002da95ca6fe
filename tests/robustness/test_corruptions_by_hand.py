"""Corruptions beside what is known of them otherwise: Pillow's JPEG and boxes, SciPy's rotation, the standard library's colours,
moments of distributions."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from projectkit.data import load
from projectkit.robustness.corruptions import CORRUPTIONS, SEVERITIES

GREY = np.full((20, 32, 32, 1), 0.5, np.float32)


@pytest.fixture(scope="module")
def colours():
    return load("shapes").test.x[:8]


@pytest.fixture(scope="module")
def greys(colours):
    return colours.mean(axis=3, keepdims=True)


def corrupted(name, x, severity, seed=0):
    return CORRUPTIONS[name](x, severity, np.random.default_rng(seed)).astype(np.float64)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_loses_what_pillow_s_does(greys, severity):
    quality = (25, 18, 15, 10, 7)[severity - 1]
    theirs = []
    for image in greys:
        stream = io.BytesIO()
        Image.fromarray(np.rint(image[..., 0] * 255).astype(np.uint8)).save(stream, "JPEG", quality=quality)
        theirs.append(np.asarray(Image.open(stream), float)[..., None] / 255)
    apart = np.abs(corrupted("jpeg", greys, severity) - theirs)
    # Theirs rounds pixels to whole numbers before and after, which moves a few coefficients by a step.
    assert np.median(apart) < 0.5 / 255 and apart.mean() < 0.2 * np.abs(greys - theirs).mean()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_is_pillow_s_box(greys, severity):
    side = int(32 * (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1])
    for image, found in zip(greys, corrupted("pixelate", greys, severity), strict=True):
        small = Image.fromarray(image[..., 0]).resize((side, side), Image.Resampling.BOX)
        theirs = np.asarray(small.resize((32, 32), Image.Resampling.NEAREST))
        # Where the parts are not whole pixels, theirs takes a pixel on the border for one of them, ours for its share of both.
        assert np.abs(found[..., 0] - theirs).mean() < (1e-6 if 32 % side == 0 else 0.02)


def test_brightness_adds_to_the_value_of_a_colour(colours):
    found = corrupted("brightness", colours[:1], 3)[0].reshape(-1, 3)
    for pixel, brighter in list(zip(colours[0].reshape(-1, 3), found, strict=True))[::37]:
        hue, saturation, value = colorsys.rgb_to_hsv(*map(float, pixel))
        np.testing.assert_allclose(brighter, colorsys.hsv_to_rgb(hue, saturation, min(1.0, value + 0.3)), atol=1e-6)
    assert corrupted("brightness", np.zeros((1, 8, 8, 3), np.float32), 5).min() == 0.5


def test_rotation_is_scipy_s(greys):
    either = [ndimage.rotate(greys[0, ..., 0].astype(float), way * np.rad2deg(0.4), reshape=False, order=1) for way in (1, -1)]
    found = corrupted("rotate", greys[:1], 2)[0, ..., 0]
    inner = np.hypot(*np.meshgrid(np.arange(32) - 15.5, np.arange(32) - 15.5)) < 15
    assert min(np.abs(found - one)[inner].max() for one in either) < 1e-6


def test_moves_are_as_long_as_said():
    """A point of an image of MNIST's size."""
    point = np.zeros((40, 28, 28, 1), np.float32)
    point[:, 14, 14] = 1
    for severity in SEVERITIES:
        places = np.argwhere(corrupted("translate", point, severity)[..., 0] > 0.99)[:, 1:] - 14
        assert set(np.abs(places).ravel()) == {severity}
        assert {tuple(np.sign(place)) for place in places} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}
    bar = np.ones((1, 28, 28, 1), np.float32)
    widths = [(corrupted("scale", bar, severity)[0, 14, :, 0]).sum() for severity in SEVERITIES]
    np.testing.assert_allclose(widths, [28 * share for share in (0.9, 0.8, 0.7, 0.6, 0.5)], atol=0.6)
    slanted = corrupted("shear", point[:1] * 0 + np.eye(28)[14][None, None, :, None].astype(np.float32), 5)[0, ..., 0]
    assert abs(slanted[4].argmax() - slanted[23].argmax()) == 19, "at severity 5 a line leans by a pixel a row"


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_has_the_moments_of_its_distribution(severity):
    normal = corrupted("gaussian_noise", GREY, 1) - 0.5
    assert normal.std() == pytest.approx(0.08, rel=0.03) and abs(normal.mean()) < 0.002
    photons = (60, 25, 12, 5, 3)[severity - 1]
    dim = GREY * 0.2  # so dim that hardly anything is cut off at 1
    shot = corrupted("shot_noise", dim, severity) * photons
    np.testing.assert_allclose(shot, np.rint(shot), atol=1e-5)
    assert shot.mean() == pytest.approx(0.1 * photons, rel=0.05) and shot.var() == pytest.approx(0.1 * photons, rel=0.1)
    struck = corrupted("impulse_noise", GREY, severity)
    shares = [(struck == value).mean() for value in (0, 1)]
    np.testing.assert_allclose(shares, (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1] / 2, rtol=0.15)


@pytest.mark.parametrize(
    "name", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic", "pixelate", "jpeg", "contrast"]
)
def test_what_only_moves_light_leaves_an_even_image_alone(name):
    for severity in SEVERITIES:
        np.testing.assert_allclose(corrupted(name, GREY, severity), 0.5, atol=1e-2 if name == "jpeg" else 1e-6)


def test_a_disk_is_as_wide_as_said():
    point = np.zeros((1, 64, 64, 1), np.float32)
    point[:, 32, 32] = 1
    for severity, share in zip(SEVERITIES, (0.03, 0.045, 0.06, 0.08, 0.1), strict=True):
        blurred = corrupted("defocus_blur", point, severity)[0, ..., 0]
        assert blurred.sum() == pytest.approx(1)
        rows, columns = np.mgrid[-32:32, -32:32]
        # The second moment of a disk of radius r is r²/2; sharing between pixels adds up to a quarter of a pixel for each axis.
        assert 0 <= (blurred * (rows**2 + columns**2)).sum() - (share * 64) ** 2 / 2 <= 0.5


def test_edges_are_where_the_light_changes():
    step = np.zeros((1, 28, 28, 1), np.float32)
    step[:, :, 14:] = 1
    edges = corrupted("canny_edges", step, 5)[0, 4:-4, :, 0]
    assert (edges.sum(axis=1) == 1).all() and set(edges.argmax(axis=1)) <= {13, 14}
    assert corrupted("canny_edges", GREY, 5).max() == 0
