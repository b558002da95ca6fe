"""The teacher's answers to a split, computed once and kept."""

import hashlib
from pathlib import Path

import numpy as np
import tf_keras as keras

from projectkit import train
from projectkit.errors import ModelError
from projectkit.files import written_whole
from projectkit.types import Split


def teacher_logits(teacher: keras.Model, split: Split, *, cache: str | Path | None = None) -> np.ndarray:
    """The teacher's logits for every image of `split`: (n, classes) float32, in the order of the split.

    cache: a folder with one file for each pair of images and teacher, known by the SHA-256 of their content (labels do not
    count); made if absent. A file that is damaged or of something else is computed anew and replaced. Raises ModelError when the
    images do not fit the teacher or its answers are not finite numbers.
    """
    if split.x.shape[1:] != tuple(teacher.input_shape[1:]):
        raise ModelError(
            f"{teacher.name}: received images of {split.x.shape[1:]}; expected {tuple(teacher.input_shape[1:])}. "
            "Give a teacher that was built for this dataset."
        )
    if cache is None:
        return _answers(teacher, split)
    keys = {"images": digest_of_images(split), "teacher": digest_of_model(teacher)}
    path = Path(cache) / f"{keys['images'][:24]}-{keys['teacher'][:24]}.npz"
    kept = _read(path, keys, (len(split), teacher.output_shape[-1]))
    if kept is not None:
        return kept
    answers = _answers(teacher, split)
    _write(path, answers, keys)
    return answers


def digest_of_images(split: Split) -> str:
    """SHA-256 in hex over the shape and bytes of the images."""
    return _digest([split.x])


def digest_of_model(model: keras.Model) -> str:
    """SHA-256 in hex over the architecture and the weights."""
    try:
        architecture = model.to_json()
    except NotImplementedError:  # a subclassed model does not say what it is made of
        architecture = type(model).__qualname__
    return _digest(model.get_weights(), architecture)


def _digest(arrays: list[np.ndarray], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        digest.update(f"\n{array.shape} {array.dtype}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _answers(teacher: keras.Model, split: Split) -> np.ndarray:
    answers = train.logits(teacher, split.x)
    if not np.all(np.isfinite(answers)):
        raise ModelError(f"{teacher.name}: its logits hold NaN or infinite numbers; expected finite ones. Train it anew.")
    return answers


def _read(path: Path, keys: dict[str, str], shape: tuple[int, int]) -> np.ndarray | None:
    """The logits in `path`, None unless they are whole and of these images and this teacher."""
    try:
        with np.load(path, allow_pickle=False) as file:
            logits = file["logits"]
            own = {name: str(file[name]) for name in keys} == keys
    except Exception:  # absent, cut short, no npz: a damaged zip raises almost anything
        return None
    return logits if own and logits.shape == shape and logits.dtype == np.float32 and np.isfinite(logits).all() else None


def _write(path: Path, logits: np.ndarray, keys: dict[str, str]) -> None:
    """Writes the file whole or not at all, also when two processes write it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part, part.open("wb") as file:
        named = {name: np.array(key) for name, key in keys.items()}
        np.savez(file, logits=logits, **named)  # type: ignore[arg-type]  # the stub takes every array for `allow_pickle`
