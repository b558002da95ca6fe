import numpy as np
import pytest

from projectkit import data
from projectkit.data import npz
from projectkit.errors import DataError


def good():
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (60, 5, 4), dtype=np.uint8),
        "y_train": np.arange(60, dtype=np.uint8) % 3,
        "x_test": rng.integers(0, 256, (12, 5, 4), dtype=np.uint8),
        "y_test": np.arange(12, dtype=np.uint8) % 3,
    }


def test_a_set_of_your_own(tmp_path):
    arrays = good()
    np.savez(tmp_path / "leaves.npz", **arrays)
    dataset = data.load(str(tmp_path / "leaves.npz"))
    assert (dataset.name, dataset.classes, dataset.shape) == ("leaves", ("0", "1", "2"), (5, 4, 1))
    assert (len(dataset.train), len(dataset.val), len(dataset.test)) == (54, 6, 12)
    np.testing.assert_allclose(dataset.test.x[..., 0] * 255, arrays["x_test"], atol=1e-4)
    np.testing.assert_array_equal(dataset.test.y, arrays["y_test"])
    pairs = {(image.tobytes(), label) for image, label in zip(arrays["x_train"], arrays["y_train"], strict=True)}
    kept = [
        (np.round(image[..., 0] * 255).astype(np.uint8).tobytes(), label)
        for split in (dataset.train, dataset.val)
        for image, label in zip(split.x, split.y, strict=True)
    ]
    assert len(kept) == 60
    assert set(kept) == pairs


def test_colour_floats_and_column_labels_are_welcome(tmp_path):
    arrays = good()
    arrays |= {key: np.repeat(arrays[key][..., None], 3, axis=-1) / 255 for key in ("x_train", "x_test")}
    arrays |= {key: arrays[key].reshape(-1, 1).astype(np.int32) for key in ("y_train", "y_test")}
    np.savez_compressed(tmp_path / "own.npz", **arrays)
    dataset = data.load(tmp_path / "own.npz")
    assert dataset.shape == (5, 4, 3)
    assert dataset.train.x.dtype == np.float32
    np.testing.assert_array_equal(dataset.test.x, arrays["x_test"].astype(np.float32))


def test_the_digest_names_the_content_not_the_file(tmp_path):
    arrays = good()
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    arrays["x_test"][3, 2, 1] ^= 1
    np.savez(tmp_path / "c.npz", **arrays)
    digests = [data.load(tmp_path / name).digest for name in ("a.npz", "b.npz", "c.npz")]
    assert digests[0] == digests[1] != digests[2]


DAMAGED = {
    "a key missing": (lambda a: a.pop("y_test"), "without y_test", "the keys x_train"),
    "no array": (lambda a: a.clear(), "found no array", "the keys x_train"),
    "other keys": (lambda a: (a.clear(), a.update(images=np.zeros(3))), "found images", "the keys x_train"),
    "flat images": (lambda a: a.update(x_train=np.zeros((60, 20), np.uint8)), "x_train of shape (60, 20)", "(n, height, width)"),
    "scalar images": (lambda a: a.update(x_train=np.uint8(3)), "x_train of shape ()", "(n, height, width)"),
    "no images": (lambda a: a.update(x_test=np.zeros((0, 5, 4), np.uint8)), "x_test of shape (0, 5, 4)", "none of them 0"),
    "other test shape": (lambda a: a.update(x_test=np.zeros((12, 4, 4), np.uint8)), "(4, 4, 1) in x_test", "one shape for all"),
    "integer images": (lambda a: a.update(x_train=a["x_train"].astype(np.int32)), "x_train of type int32", "uint8, or floats"),
    "complex images": (lambda a: a.update(x_train=a["x_train"] * 1j), "x_train of type complex128", "uint8, or floats"),
    "images to 255": (lambda a: a.update(x_train=a["x_train"].astype(np.float32)), "x_train from 0 to 255", "floats in [0, 1]"),
    "NaN": (lambda a: a.update(x_test=np.full((12, 5, 4), np.nan)), "x_test from nan to nan", "floats in [0, 1]"),
    "too few labels": (lambda a: a.update(y_train=a["y_train"][:59]), "60 images in x_train, 59 labels", "one label for each"),
    "one-hot labels": (lambda a: a.update(y_test=np.eye(3)[a["y_test"]]), "y_test of shape (12, 3)", "one class index for each"),
    "scalar label": (lambda a: a.update(y_test=np.int64(1)), "y_test of shape ()", "one class index for each"),
    "float labels": (lambda a: a.update(y_test=a["y_test"] / 2), "y_test of type float64", "integers"),
    "negative label": (lambda a: a.update(y_test=a["y_test"].astype(int) - 1), "label -1 in y_test", "class indices from 0"),
    "unseen class": (lambda a: a["y_test"].__setitem__(0, 4), "no training image of class 3", "every class 0…4"),
    "huge label": (lambda a: a.update(y_test=np.full(12, 10**15)), "no training image of class 3", "every class 0…10000000"),
    "two images": (lambda a: a.update(x_train=a["x_train"][:2], y_train=a["y_train"][:2]), "2 training images", "at least 10"),
    "pickled objects": (lambda a: a.update(y_test=np.array([{}] * 12)), "allow_pickle", "without pickled objects"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_set_is_refused_with_file_found_and_expected(case, tmp_path):
    damage, found, expected = DAMAGED[case]
    arrays = good()
    damage(arrays)
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError) as caught:
        data.load(tmp_path / "mine.npz")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'mine.npz'}: found ")
    assert found in message.split("; expected ")[0]
    assert expected in message.split("; expected ")[1]


def test_files_that_are_no_npz_are_refused(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(DataError, match="no such file"):
        data.load(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"", b"hello", b"PK\x03\x04 nothing more", (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"mine\.npz: found .*; expected "):
            data.load(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="no such file"):
        data.load(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_truncated_or_flipped_file_is_refused_or_reads_as_it_was(save, tmp_path):
    path, broken = tmp_path / "whole.npz", tmp_path / "broken.npz"
    save(path, **good())
    content, whole = path.read_bytes(), data.load(path)
    for tenth in range(10):
        broken.write_bytes(content[: len(content) * tenth // 10])
        with pytest.raises(DataError):
            data.load(broken)
    rng, refused = np.random.default_rng(0), 0
    for position in rng.integers(0, len(content), 150):
        flipped = bytearray(content)
        flipped[position] ^= 1 << int(rng.integers(8))
        broken.write_bytes(flipped)
        try:
            assert data.load(broken).digest == whole.digest  # a byte that says nothing, such as a date
        except DataError:
            refused += 1
    assert refused > 75


def test_writing_leaves_a_whole_file_or_none(tmp_path):
    class Interrupts:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    folder = tmp_path / "new" / "folder"
    with pytest.raises(KeyboardInterrupt):
        npz.write(folder / "set.npz", good() | {"y_test": Interrupts()})
    assert list(folder.iterdir()) == []
    npz.write(folder / "set.npz", good())
    assert [file.name for file in folder.iterdir()] == ["set.npz"]
    for key, array in npz.read(folder / "set.npz").items():
        np.testing.assert_array_equal(array, good()[key])
