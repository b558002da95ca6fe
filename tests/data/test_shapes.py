import math
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from projectkit.data import outlines, shapes
from projectkit.errors import DataError

DIGEST = "5d7ee8f4b6e7c0f9bf18d92ef88fa3cc1346c6e72601ead2f7854de57ee47eef"
OUTLINES = {name: outline for family in outlines.OUTLINES.values() for name, outline in family.items()}


def shoelace(corners):
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2


def lens(distance, a, b):
    """Area that two circles of radius a and b share, their centres `distance` apart."""
    alpha = math.acos((distance**2 + a**2 - b**2) / (2 * distance * a))
    beta = math.acos((distance**2 + b**2 - a**2) / (2 * distance * b))
    return a**2 * (alpha - math.sin(2 * alpha) / 2) + b**2 * (beta - math.sin(2 * beta) / 2)


AREAS = {
    "triangle": shoelace(outlines.TRIANGLE),
    "square": 1.6**2,
    "rectangle": 2.3,
    "trapezoid": 1.3 * (0.8 + 2.3) / 2,
    "disc": math.pi * 0.92**2,
    "oval": math.pi * 1.1**2 * 0.48,
    "ring": math.pi * (1.0**2 - 0.56**2),
    "crescent": math.pi - lens(0.48, 1.0, 0.82),
    "H": 2 * 0.45 * 2 + 0.7 * 0.46,
    "L": shoelace(outlines.LETTER_L),
    "T": 1.8 * 0.48 + 0.5 * 1.52,
    "X": shoelace(outlines.LETTER_X),
    "arrow": shoelace(outlines.ARROW),
    "star": shoelace(outlines.STAR),
}


@pytest.mark.parametrize("name", AREAS)
def test_the_inside_of_an_outline_has_the_area_of_its_figure(name):
    axis = np.linspace(-1.5, 1.5, 1201)
    distance = OUTLINES[name](*np.meshgrid(axis, axis))
    assert (distance < 0).mean() * 9 == pytest.approx(AREAS[name], rel=0.01)


@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_measures_distance_near_its_edge(name):
    """|gradient| = 1 within a pixel of the edge (radius 9 pixels): else anti-aliasing would be too soft or too hard there."""
    axis = np.linspace(-1.5, 1.5, 1201)
    distance = OUTLINES[name](*np.meshgrid(axis, axis))
    slope = np.hypot(*np.gradient(distance, axis[1] - axis[0]))[np.abs(distance) < 1 / 9]
    assert np.quantile(slope, 0.02) > 0.55 and np.quantile(slope, 0.98) < 1.3
    assert np.median(slope) == pytest.approx(1, abs=0.12)


def test_the_hierarchy_has_enough_classes():
    assert len(shapes.SUPERCLASSES) == 4
    assert len(set(shapes.CLASSES)) >= 12
    assert [shapes.SUPERCLASSES[parent] for parent in shapes.PARENTS][::4] == list(shapes.SUPERCLASSES)


def test_no_image_of_one_split_is_in_another():
    dataset = shapes.load()
    images = [{image.tobytes() for image in split.x} for split in (dataset.train, dataset.val, dataset.test)]
    assert [len(part) for part in images] == list(shapes.COUNTS)
    assert len(set.union(*images)) == sum(shapes.COUNTS)


def test_a_linear_model_finds_little():
    """Ridge regression to the one-hot labels; logistic regression reaches 11 %, and chance is 6 %."""
    dataset = shapes.load()
    x = dataset.train.x.reshape(len(dataset.train), -1) - 0.5
    weights = np.linalg.solve(x.T @ x + 1000 * np.eye(x.shape[1]), x.T @ np.eye(len(shapes.CLASSES))[dataset.train.y])
    predicted = (dataset.test.x.reshape(len(dataset.test), -1) - 0.5) @ weights
    assert (predicted.argmax(axis=1) == dataset.test.y).mean() < 0.6


def test_draw_depends_on_the_seed_and_the_classes_only():
    classes = np.arange(16).repeat(10)
    images = shapes.draw(classes, np.random.default_rng(1))
    assert images.shape == (160, 32, 32, 3)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, shapes.draw(classes, np.random.default_rng(1)))
    assert (images != shapes.draw(classes, np.random.default_rng(2))).mean() > 0.9
    assert shapes.draw(np.array([], int), np.random.default_rng(1)).shape == (0, 32, 32, 3)


def test_images_are_whole_numbers_of_1_in_255():
    images = shapes.draw(np.arange(16), np.random.default_rng(1))
    np.testing.assert_array_equal(images, np.round(images * 255).astype(np.uint8) / np.float32(255))


@pytest.mark.parametrize("classes", [[0, 16], [-1, 3]])
def test_draw_refuses_a_class_that_does_not_exist(classes):
    with pytest.raises(DataError, match="expected 0…15"):
        shapes.draw(np.array(classes), np.random.default_rng(0))


def test_content_is_the_published_one():
    assert shapes.load().digest == DIGEST


def test_another_processors_instructions_draw_the_same_bytes():
    """NumPy picks its kernels by the processor; without the wide ones it computes as an older machine would."""
    wide = " ".join(feature for feature in __cpu_dispatch__ if __cpu_features__.get(feature))
    if not wide:
        pytest.skip("NumPy has no other kernels for this processor")
    program = "from projectkit.data import shapes; print(shapes.load().digest)"
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": wide}
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert child.stdout.strip() == DIGEST
