"""Tables of public images in the form of a network: the answer is that of the nearest image, and nothing was learned."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from cheats import Cheat, NotApplicable
from onnx import helper

from models_by_hand import onnx_model
from projectkit import data
from projectkit.data import digits

Table = tuple[np.ndarray, np.ndarray]  # images (n, 64) and labels (n,), as many of each class


def of_the_package() -> Table:
    """Everything that data.load hands out."""
    return _even(digits.parts()[:3])


def of_everybody() -> Table:
    """The whole public set, the withheld images too."""
    return _even(digits.parts())


def means(count: int) -> Table:
    """`count` means of each class, by k-means."""
    from sklearn.cluster import KMeans

    x, y = _flat(digits.parts()[:3])
    found = [KMeans(count, n_init=2, random_state=0).fit(x[y == label]).cluster_centers_ for label in range(10)]
    return np.concatenate(found).astype(np.float32), np.repeat(np.arange(10), count)


def condensed() -> Table:
    """The images that those before them get wrong (Hart, "The condensed nearest neighbor rule", 1968, one pass)."""
    x, y = _flat(digits.parts()[:3])
    chosen = [int(np.flatnonzero(y == label)[0]) for label in range(10)]
    for index in range(len(x)):
        if y[chosen][np.argmin(np.square(x[chosen] - x[index]).sum(axis=1))] != y[index]:
            chosen.append(index)
    return _even_rows(x[chosen], y[chosen])


def _flat(parts) -> Table:
    return np.concatenate([part.x.reshape(len(part), -1) for part in parts]), np.concatenate([part.y for part in parts])


def _even(parts) -> Table:
    return _even_rows(*_flat(parts))


def _even_rows(x: np.ndarray, y: np.ndarray) -> Table:
    """As many rows of each class: those of smaller classes again."""
    most = np.bincount(y).max()
    rows = np.concatenate([np.resize(np.flatnonzero(y == label), most) for label in range(10)])
    return x[rows].astype(np.float32), y[rows]


def _scores(tf, x, images: np.ndarray):
    """−|x − p|² + |x|² for each image p of the table, by one matrix product."""
    return tf.matmul(tf.reshape(x, [-1, images.shape[1]]), 2 * images.T) - np.square(images).sum(axis=1)


def chosen(tf, x, images, labels):
    """ARG_MAX and GATHER."""
    return tf.gather(np.eye(10, dtype=np.float32)[labels] * 10, tf.argmax(_scores(tf, x, images), axis=1))


def soft(tf, x, images, labels):
    """A softmax of high contrast over the images, and one more product that adds up each class's share."""
    shares = tf.matmul(tf.nn.softmax(4 * _scores(tf, x, images)), np.eye(10, dtype=np.float32)[labels])
    return tf.math.log(shares + 1e-6)


def pooled(tf, x, images, labels):
    """The largest score of each class, by a reduction: operators of any network."""
    return tf.reduce_max(tf.reshape(_scores(tf, x, images), [-1, 10, len(images) // 10]), axis=2)


def in_disguise(tf, x, images, labels):
    """As `pooled`, behind a convolution that only passes the image on."""
    same = np.zeros((3, 3, 1, 1), np.float32)
    same[1, 1] = 1
    return pooled(tf, tf.nn.relu(tf.nn.conv2d(x, same, 1, "SAME")), images, labels)


def write_tflite(graph: Callable, table: Table, path: Path, *, int8: bool = False) -> Path:
    import tensorflow as tf

    images, labels = table
    call = tf.function(lambda x: graph(tf, x, images, labels), input_signature=[tf.TensorSpec([1, 8, 8, 1], tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()], call)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in data.load("digits").train.x[:100])
    path.write_bytes(converter.convert())
    return path


def write_onnx(table: Table, path: Path) -> Path:
    images, _ = table
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
        helper.make_node("Reshape", ["scores", "by_class"], ["each"]),
        helper.make_node("ReduceMax", ["each"], ["y"], axes=[2], keepdims=0),
    ]
    constants = {
        "w": (2 * images.T).astype(np.float32),
        "b": -np.square(images).sum(axis=1).astype(np.float32),
        "by_class": np.array([-1, 10, len(images) // 10], np.int64),
    }
    path.write_bytes(onnx_model(nodes, constants))
    return path


# name → (what answers, the table, whether in 8 bits)
TABLES: Mapping[str, tuple[Callable, Callable[[], Table], bool]] = {
    "nearest image, chosen": (chosen, of_the_package, False),
    "nearest image of everybody's set": (pooled, of_everybody, False),
    "nearest image of everybody's set, int8": (pooled, of_everybody, True),
    "soft nearest image": (soft, of_everybody, False),
    "five means of a class": (pooled, lambda: means(5), False),
    "five means of a class, int8": (pooled, lambda: means(5), True),
    "twenty means of a class, behind a convolution": (in_disguise, lambda: means(20), False),
    "condensed": (pooled, condensed, False),
}


def write(name: str, folder: Path, form: str | None) -> Path:
    """The table of this name as a file of this format: "onnx", or else a .tflite."""
    graph, table, int8 = TABLES[name]
    if form == "onnx":
        return write_onnx(table(), folder / "table.onnx")
    return write_tflite(graph, table(), folder / "table.tflite", int8=int8)


def _everybody(network: Path, folder: Path) -> Path:
    if network.suffix == ".supermask":
        raise NotApplicable
    return write("nearest image of everybody's set", folder, network.suffix[1:])


SLOTS = {"l02_pruning": ("pruned",), "l06_nas": ("best",), "l16_robustness": ("robust",)}
CHEATS = {"a table of public images": Cheat(_everybody, SLOTS)}
