"""Random crops and mirrors are what they say."""

import numpy as np

from projectkit.train.augment import MARGIN, crop_flip


def candidates(image):
    """Everything that an image may become."""
    padded = np.pad(image, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)))
    height, width, _ = image.shape
    for down in range(2 * MARGIN + 1):
        for right in range(2 * MARGIN + 1):
            moved = padded[down : down + height, right : right + width]
            yield down, right, False, moved
            yield down, right, True, moved[:, ::-1]


def test_every_image_is_moved_and_perhaps_mirrored():
    x = np.random.default_rng(0).random((200, 8, 10, 3), dtype=np.float32)
    before = x.copy()
    changed = crop_flip(x, np.random.default_rng(1))
    found = [
        next((d, r, m) for d, r, m, other in candidates(image) if np.array_equal(other, new))
        for image, new in zip(x, changed, strict=True)
    ]
    assert np.array_equal(x, before) and changed.dtype == np.float32
    downs, rights, mirrors = zip(*found, strict=True)
    assert set(downs) == set(rights) == set(range(2 * MARGIN + 1))
    assert 0.35 < np.mean(mirrors) < 0.65


def test_equal_generators_change_alike():
    x = np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32)
    first, second, other = (crop_flip(x, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first, other)
