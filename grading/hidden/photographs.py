"""Hidden data of the instructor's own: handwritten digits, from photographs of sheets of paper, one sheet a digit.

Photographs 0.jpg … 9.jpg (also 3-second.jpg) each show one digit many times, in dark ink on bright paper. Ink is what is darker
than the paper around it; its connected components are cut out and brought into the form that the dataset's own images have.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grading.errors import GradingError

SUFFIXES = (".jpg", ".jpeg", ".png")
LONGEST = 2000  # pixels along a photograph's longer side, to which larger ones are reduced
DARKER = 0.15  # of the range, than the paper around: ink
JOINED = 2  # pixels by which strokes may be interrupted
SMALLEST, LARGEST = 1 / 80, 1 / 4  # a digit's height, of the photograph's longer side


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The digits of a folder. x: (n, height, width) uint8, bright on dark; y: (n,) int64."""

    x: np.ndarray
    y: np.ndarray


def read_photographs(folder: Path, dataset: str, without: Collection[int] = ()) -> Found:
    """The digits in the photographs of `folder` as images like those of `dataset`, a key of FORMS, but those whose numbers in the
    picture of all are in `without`.

    Raises GradingError when there are no photographs, one has a name that begins with no digit, cannot be read or shows none.
    """
    if dataset not in FORMS:
        raise GradingError(
            f"--dataset is {dataset!r}, expected {' or '.join(FORMS)}. For others write the .npz yourself: x (n, height, width, "
            "channels) and y (n,)."
        )
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise GradingError(f"{folder}: holds no photographs, expected 0.jpg … 9.jpg. Name each by the digit that it shows.")
    images: list[np.ndarray] = []
    labels: list[int] = []
    for path in paths:
        if not path.stem[:1].isdecimal():
            raise GradingError(f"{path.name}: begins with no digit. Name each photograph by the digit that it shows, as 3.jpg.")
        digits = cut_out(_grey(path))
        if not digits:
            raise GradingError(
                f"{path.name}: no ink was found. Write with a dark, thick pen on white paper, and photograph in even light."
            )
        images += [FORMS[dataset](digit) for digit in digits]
        labels += [int(path.stem[0])] * len(digits)
    kept = [index for index in range(len(images)) if index not in without]
    return Found(np.stack(images)[kept], np.array(labels, np.int64)[kept])


def cut_out(grey: np.ndarray) -> list[np.ndarray]:
    """The separate pieces of ink in a photograph (height, width) in [0, 1], row by row, each cropped: 0 is paper, 1 dark."""
    from scipy import ndimage

    longest = max(grey.shape)
    paper = ndimage.maximum_filter(grey, size=longest // 40)
    paper = ndimage.uniform_filter(paper, size=longest // 20)
    ink = np.clip(paper - grey, 0.0, 1.0)
    labelled, _ = ndimage.label(ndimage.binary_dilation(ink > DARKER, iterations=JOINED), structure=np.ones((3, 3)))
    found = []
    for number, box in enumerate(ndimage.find_objects(labelled), start=1):
        height, width = (part.stop - part.start for part in box)
        at_the_edge = any(part.start == 0 or part.stop == size for part, size in zip(box, grey.shape, strict=True))
        if at_the_edge or not SMALLEST * longest <= height <= LARGEST * longest or width > LARGEST * longest:
            continue
        piece = np.where(labelled[box] == number, ink[box], 0.0)
        rows, columns = np.nonzero(piece > DARKER)
        if len(rows):
            piece = piece[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            found.append((box[0].start // (2 * height), box[1].start, piece / piece.max()))
    return [piece for *_, piece in sorted(found, key=lambda one: one[:2])]


def _like_mnist(ink: np.ndarray) -> np.ndarray:
    """28×28, the digit 20 pixels long, its centre of mass in the middle (LeCun et al., "Gradient-based learning", 1998)."""
    small = _resized(ink, 20 / max(ink.shape))
    small = small / small.max()
    rows, columns = (np.arange(size) for size in small.shape)
    row, column = (small.sum(axis=1) @ rows / small.sum(), small.sum(axis=0) @ columns / small.sum())
    top, left = (round(13.5 - place) for place in (row, column))
    top, left = (min(max(0, at), 28 - size) for at, size in zip((top, left), small.shape, strict=True))
    image = np.zeros((28, 28))
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return np.round(255 * image).astype(np.uint8)


def _like_digits(ink: np.ndarray) -> np.ndarray:
    """8×8: a black-and-white bitmap of 32×32, as high as the digit, counted in blocks of 4×4 (Alpaydin and Kaynak, 1998)."""
    small = _resized(ink, min(32 / ink.shape[0], 24 / ink.shape[1])) > 0.4
    bitmap = np.zeros((32, 32))
    top, left = ((32 - size) // 2 for size in small.shape)
    bitmap[top : top + small.shape[0], left : left + small.shape[1]] = small
    return np.round(255 * bitmap.reshape(8, 4, 8, 4).mean(axis=(1, 3))).astype(np.uint8)


FORMS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"digits": _like_digits, "mnist": _like_mnist}


def write(found: Found, out: Path) -> Path:
    """Writes `out`, an .npz for `grading run --data`, and beside it a picture of all images and their numbers: its path."""
    from matplotlib.figure import Figure

    np.savez_compressed(out, x=found.x, y=found.y)
    across = 25
    figure = Figure(figsize=(across * 0.5, (len(found.y) // across + 1) * 0.7), layout="constrained")
    axes = figure.subplots(len(found.y) // across + 1, across, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for number, (axis, image, label) in enumerate(zip(axes, found.x, found.y, strict=False)):
        axis.imshow(image, cmap="gray_r", vmin=0, vmax=255)
        axis.set_title(f"{number}: {label}", fontsize=6, pad=1)
    picture = out.with_suffix(".png")
    figure.savefig(picture, dpi=100)
    return picture


def _grey(path: Path) -> np.ndarray:
    """A photograph as (height, width) floats in [0, 1], upright, at most LONGEST pixels long."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("L")
    except (OSError, Image.DecompressionBombError) as error:
        raise GradingError(f"{path.name}: cannot be read as a photograph ({error}). Give a JPEG or PNG file.") from error
    upright.thumbnail((LONGEST, LONGEST))
    return np.asarray(upright, np.float64) / 255


def _resized(ink: np.ndarray, scale: float) -> np.ndarray:
    """`ink` made smaller or larger by `scale`, each new pixel the mean of what it covers."""
    from PIL import Image

    height, width = (max(1, round(scale * size)) for size in ink.shape)
    return np.asarray(Image.fromarray(ink.astype(np.float32)).resize((width, height), Image.Resampling.BOX), np.float64)
