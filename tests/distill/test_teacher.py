"""The teacher's kept answers, and datasets of which few images have labels."""

import numpy as np
import pytest

from projectkit import data, models, train
from projectkit.distill import hide_labels, labelled, teacher_logits
from projectkit.errors import DataError, ModelError
from projectkit.types import Recipe, Split


@pytest.fixture
def teacher(digits):
    return models.build("mlp", digits, seed=1, widths=(8,))


@pytest.fixture
def images(digits):
    return digits.train.take(300)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_logits_are_the_teachers_in_the_order_of_the_images(teacher, images, tmp_path):
    expected = teacher(images.x).numpy()
    for logits in (teacher_logits(teacher, images), *(teacher_logits(teacher, images, cache=tmp_path / "new") for _ in range(2))):
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert len(files(tmp_path / "new")) == 1  # and nothing half-written


def test_what_is_kept_is_not_computed_again(teacher, images, tmp_path):
    teacher_logits(teacher, images, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"logits": arrays["logits"] + 1})  # the only way to see that it was read
    np.testing.assert_array_equal(teacher_logits(teacher, images, cache=tmp_path), arrays["logits"] + 1)


def test_other_weights_architectures_and_images_have_files_of_their_own_and_labels_do_not(teacher, images, tmp_path, digits):
    first = teacher_logits(teacher, images, cache=tmp_path)
    assert teacher_logits(teacher, Split(images.x, images.y[::-1]), cache=tmp_path) is not None
    assert len(files(tmp_path)) == 1
    teacher.layers[-1].set_weights([array + 0.5 for array in teacher.layers[-1].get_weights()])
    assert not np.allclose(teacher_logits(teacher, images, cache=tmp_path), first)
    config = teacher.get_config()
    config["layers"][2]["config"]["activation"] = "tanh"
    bent = type(teacher).from_config(config)
    bent.set_weights(teacher.get_weights())  # equal weights
    np.testing.assert_allclose(teacher_logits(bent, images, cache=tmp_path), bent(images.x).numpy(), atol=1e-5)
    reversed_ = teacher_logits(bent, Split(images.x[::-1], images.y), cache=tmp_path)
    np.testing.assert_allclose(reversed_, bent(images.x[::-1]).numpy(), atol=1e-5)
    assert len(files(tmp_path)) == 4


def test_a_damaged_file_is_computed_anew_and_replaced(teacher, images, tmp_path):
    expected = teacher_logits(teacher, images, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    damages = [b"", b"no npz", *(whole[: len(whole) * part // 5] for part in range(1, 5))]
    for spoilt in (
        {"logits": arrays["logits"][:5]},
        {"logits": arrays["logits"] * np.nan},
        {"logits": np.array("text")},
        {"teacher": np.array("another"), "logits": arrays["logits"] + 1},
    ):
        np.savez(tmp_path / "spoilt.npz", **arrays | spoilt)
        damages.append((tmp_path / "spoilt.npz").read_bytes())
        (tmp_path / "spoilt.npz").unlink()
    for content in damages:
        path.write_bytes(content)
        np.testing.assert_array_equal(teacher_logits(teacher, images, cache=tmp_path), expected)
        with np.load(path) as file:
            np.testing.assert_array_equal(file["logits"], expected)
        assert files(tmp_path) == [path.name]


def test_images_that_do_not_fit_and_a_spoilt_teacher_are_refused(teacher, images):
    with pytest.raises(ModelError, match=r"received images of \(32, 32, 3\); expected \(8, 8, 1\)"):
        teacher_logits(teacher, data.load("shapes").val)
    teacher.layers[-1].set_weights([array * np.nan for array in teacher.layers[-1].get_weights()])
    with pytest.raises(ModelError, match="NaN or infinite numbers; expected finite ones"):
        teacher_logits(teacher, images)


@pytest.mark.parametrize("keep", [10, 25, 100, 1077])
def test_as_many_labels_of_each_class_as_can_be_stay(digits, keep):
    few = hide_labels(digits, keep=keep, seed=3)
    known = few.train.y >= 0
    assert known.sum() == keep
    assert np.array_equal(few.train.y[known], digits.train.y[known])
    assert set(few.train.y[~known]) <= {-1}
    counts = np.bincount(few.train.y[known], minlength=10)
    assert counts.max() - counts.min() <= 1 or keep == len(digits.train)
    assert few.train.x is digits.train.x and few.val is digits.val and few.test is digits.test
    only = labelled(few)
    assert np.array_equal(only.train.y, few.train.y[known]) and np.array_equal(only.train.x, few.train.x[known])


def test_datasets_with_other_labels_have_other_digests(digits):
    few = [hide_labels(digits, keep=keep, seed=seed) for keep, seed in ((50, 0), (50, 1), (60, 0))]
    every = [*few, *map(labelled, few), digits]
    assert len({dataset.digest for dataset in every}) == len(every)
    again = hide_labels(digits, keep=50, seed=0)
    assert again.digest == few[0].digest and np.array_equal(again.train.y, few[0].train.y)
    assert labelled(digits) is digits


@pytest.mark.parametrize("keep", [9, 1078, -1])
def test_too_few_or_too_many_labels_are_refused(digits, keep):
    with pytest.raises(DataError, match=f"received keep = {keep}; expected 10 .* to 1077 labels"):
        hide_labels(digits, keep=keep)


def test_training_without_a_teacher_refuses_images_without_a_label(digits):
    few = hide_labels(digits, keep=20)
    model = models.build("mlp", digits)
    with pytest.raises(ModelError, match=r"labels from -1 to 9; expected 0 to 9.*distill\.labelled"):
        train.fit(model, few, Recipe(epochs=1), progress=False)
    assert len(train.fit(model, labelled(few), Recipe(epochs=1), progress=False)) == 1
