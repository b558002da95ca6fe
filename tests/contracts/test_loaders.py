"""What every loader promises. A new member of LOADERS is held to it by being there; sets that need a file, when it is present."""

import subprocess
import sys

import numpy as np
import pytest

from projectkit import data

AVAILABLE = [listing for listing in data.describe() if listing.place != "absent"]


@pytest.fixture(scope="module", params=AVAILABLE, ids=lambda listing: listing.about.name)
def case(request):
    return request.param.about, data.load(request.param.about.name)


def splits(dataset):
    return {"train": dataset.train, "val": dataset.val, "test": dataset.test}


def test_every_loader_is_described():
    assert [listing.about.name for listing in data.describe()] == list(data.LOADERS)


def test_arrays_are_what_the_types_promise(case):
    about, dataset = case
    assert dataset.name == about.name
    assert dataset.shape == about.shape
    assert len(dataset.classes) == len(set(dataset.classes)) == about.classes
    for split, count in zip(splits(dataset).values(), about.counts, strict=True):
        assert split.x.shape == (count, *about.shape)
        assert split.x.dtype == np.float32
        assert split.y.shape == (count,)
        assert split.y.dtype == np.int64
        assert split.x.min() == 0
        assert split.x.max() == 1


def test_every_class_is_in_every_split(case):
    about, dataset = case
    for split in splits(dataset).values():
        counts = np.bincount(split.y, minlength=about.classes)
        assert len(counts) == about.classes
        assert counts.min() > 0.6 * len(split) / about.classes


def test_parents_name_a_superclass_for_each_class(case):
    _, dataset = case
    assert len(dataset.parents) == (len(dataset.classes) if dataset.superclasses else 0)
    assert set(dataset.parents) == set(range(len(dataset.superclasses)))


def test_callers_cannot_spoil_a_set_for_each_other(case):
    _, dataset = case
    for split in splits(dataset).values():
        for array in (split.x, split.y):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_the_first_examples_are_not_all_of_one_class(case):
    _, dataset = case
    assert len(set(dataset.train.take(100).y)) > 5


def test_another_process_loads_the_same_bytes(case):
    about, dataset = case
    program = f"from projectkit import data; print(data.load({about.name!r}).digest)"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == dataset.digest


def test_loading_an_embedded_set_imports_nothing_heavy():
    program = (
        "import sys; from projectkit import data; data.load('digits'); data.load('shapes'); data.describe(); "
        "print([m for m in ('tensorflow', 'tf_keras', 'sklearn', 'scipy', 'matplotlib', 'onnxruntime') if m in sys.modules])"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
