from pathlib import Path

import pytest

import projectkit
from projectkit import data
from projectkit.errors import DataError


def test_an_unknown_name_lists_the_known_ones():
    for action in (data.load, data.get):
        with pytest.raises(DataError) as caught:
            action("imagenet")
        assert "'imagenet'" in str(caught.value)
        for name in data.LOADERS:
            assert name in str(caught.value)


def test_the_list_says_where_each_set_is(tmp_path, monkeypatch):
    monkeypatch.setenv("PROJECTKIT_DATA", str(tmp_path))
    (tmp_path / "cifar10.npz").touch()
    places = {listing.about.name: (listing.place, listing.path) for listing in data.describe()}
    assert places["digits"] == places["shapes"] == ("embedded", None)
    assert places["cifar10"] == ("present", tmp_path / "cifar10.npz")
    assert places["mnist"] == ("absent", tmp_path / "mnist.npz")


def test_getting_what_is_there_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PROJECTKIT_DATA", str(tmp_path))
    (tmp_path / "mnist.npz").touch()
    assert data.get("mnist") == tmp_path / "mnist.npz"
    assert data.get("digits") is None
    assert [file.name for file in tmp_path.iterdir()] == ["mnist.npz"]


def test_the_data_folder_is_chosen_by_the_environment_else_in_the_source_tree(tmp_path, monkeypatch):
    monkeypatch.setenv("PROJECTKIT_DATA", str(tmp_path))
    assert data.data_folder() == tmp_path
    monkeypatch.delenv("PROJECTKIT_DATA")
    monkeypatch.chdir(tmp_path)
    source = Path(projectkit.__file__).parents[1]
    root = source if (source / "pyproject.toml").exists() else tmp_path
    assert data.data_folder() == root / "data" / "cache"
