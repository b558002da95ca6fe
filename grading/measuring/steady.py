"""Does a file give one answer for one image? Some of its answers once more: in another order, while it was timed, in company."""

from collections.abc import Callable, Sequence

import numpy as np

from projectkit.errors import MeasureError

# Shares of the outputs' standard deviation (over images and classes, each class about its mean). Of the kept references and the
# baselines, no answer to an image alone ever differed in a bit, and beside others by 2e-6 at most; where an .onnx file quantizes
# activations as it runs, with one scale for a whole call, by 0.04 on average and 0.13 at most.
ALONE = 1e-3  # by which any answer to an image alone may differ
TOGETHER = 0.25  # by which answers beside other images may differ on average


def check_steady(
    outputs: np.ndarray, again: Sequence[np.ndarray | None], together: Sequence[np.ndarray | None], name: str
) -> None:
    """Raises MeasureError, with the file's `name`, when the answers differ from `outputs` (n, classes), given one at a time.

    again, together: a row an answer, the place of its input in front, as grading.worker.frames packs them.
    """
    if max((difference(outputs, rows, np.max) for rows in again), default=0.0) > ALONE:
        raise MeasureError(
            f"{name}: it answers the same image differently when it is asked again or timed, expected one answer for one image. "
            "Export it without variables and random numbers."
        )
    if max((difference(outputs, rows, np.mean) for rows in together), default=0.0) > TOGETHER:
        raise MeasureError(
            f"{name}: it answers an image differently beside other images than alone, expected one answer for one image. Export "
            "it for inference, without statistics over the batch; or, if it is for one image at a time, with a batch of 1."
        )


def difference(outputs: np.ndarray, rows: np.ndarray | None, over: Callable[[np.ndarray], float]) -> float:
    """By how much the answers in `rows` differ from `outputs`: each one's largest difference, and of these the `over`, in units
    of the outputs' spread. Infinite for what is no answer to one of the inputs."""
    if rows is None or rows.ndim != 2 or rows.shape[1] != 1 + outputs.shape[1]:
        return np.inf
    places = rows[:, 0]
    if not len(rows):
        return 0.0
    if not (np.isin(places, np.arange(len(outputs))).all() and np.isfinite(rows).all()):
        return np.inf
    apart = np.abs(rows[:, 1:] - outputs[places.astype(int)]).max(axis=1)
    return float(over(apart)) / spread_of(outputs)


def spread_of(outputs: np.ndarray) -> float:
    """The standard deviation of outputs (n, classes), each class about its mean."""
    return float(np.std(outputs.astype(np.float64) - outputs.mean(axis=0, dtype=np.float64))) or 1.0
