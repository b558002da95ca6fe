"""What processing does to an image."""

import numpy as np

from projectkit.robustness.corruptions.contract import corruption
from projectkit.robustness.corruptions.sampling import grid, sample, side_of, smooth

BLOCK, MIDDLE = 8, 128 / 255
# The quantization tables that the JPEG standard suggests, for brightness and for colour (ITU-T T.81, annex K).
LUMINANCE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
CHROMINANCE = np.full((BLOCK, BLOCK), 99)
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])  # of RGB (JFIF)


@corruption
def contrast(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Less contrast: every channel is drawn towards its mean. Strengths: ImageNet-C."""
    mean = x.mean(axis=(1, 2), keepdims=True)
    return mean + (0.4, 0.3, 0.2, 0.1, 0.05)[strength] * (x - mean)


@corruption
def elastic(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Every part is moved by a smooth random field, whose lengths are shares of the side.

    ImageNet-C's five strengths go from wide and large to narrow and small moves; these go from little to much.
    """
    reach, width = (0.02, 0.03, 0.04, 0.055, 0.07)[strength] * side_of(x), 0.08 * side_of(x)
    rows, columns = grid(x)
    field = np.stack([smooth(rng.uniform(-1, 1, x.shape[:3]), width) for _ in range(2)])
    field *= reach / field.std(axis=(2, 3), keepdims=True)
    return sample(x, rows + field[0], columns + field[1])


@corruption
def pixelate(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Means over larger pixels, in place of the image. Strengths: ImageNet-C."""
    share = (0.6, 0.5, 0.4, 0.3, 0.25)[strength]
    by_axis = [_larger_pixels(side, max(1, int(share * side))) for side in x.shape[1:3]]
    return np.einsum("ih,nhwc,jw->nijc", by_axis[0], x, by_axis[1], optimize=True)


@corruption
def jpeg(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """The loss of a JPEG file: the cosine transform of 8×8 blocks in coarse steps, of colours in coarser. Qualities: ImageNet-C.

    What JPEG saves beside (half the colour's resolution, whole numbers for pixels) is left out.
    """
    tables = [_quantization(table, (25, 18, 15, 10, 7)[strength]) for table in (LUMINANCE, CHROMINANCE, CHROMINANCE)]
    planes = x if x.shape[-1] == 1 else x @ YCBCR.T
    planes = np.stack([_through_blocks(planes[..., index], tables[index]) for index in range(x.shape[-1])], axis=-1)
    return planes if x.shape[-1] == 1 else planes @ np.linalg.inv(YCBCR).T


def _larger_pixels(side: int, count: int) -> np.ndarray:
    """(side, side): the mean over each of `count` equal parts, shown by the pixels whose middle lies in it."""
    edges = np.arange(count + 1) * side / count
    pixels = np.arange(side)
    overlap = np.clip(np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels), 0.0, None)
    means = overlap / overlap.sum(axis=1, keepdims=True)
    return means[((pixels + 0.5) * count / side).astype(int)]


def _quantization(table: np.ndarray, quality: int) -> np.ndarray:
    """The steps at `quality` below 50, as the reference implementation of JPEG scales them, of pixels in [0, 1]."""
    return np.clip(np.floor((table * (5000 // quality) + 50) / 100), 1, 255) / 255


def _through_blocks(plane: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """plane (n, height, width), each of its blocks with coefficients that are whole multiples of `steps`."""
    n, height, width = plane.shape
    padded = np.pad(plane - MIDDLE, ((0, 0), (0, -height % BLOCK), (0, -width % BLOCK)), mode="edge")
    blocks = padded.reshape(n, padded.shape[1] // BLOCK, BLOCK, padded.shape[2] // BLOCK, BLOCK).swapaxes(2, 3)
    cosines = np.cos(np.pi * (np.arange(BLOCK) + 0.5) * np.arange(BLOCK)[:, None] / BLOCK) * 0.5
    cosines[0] /= np.sqrt(2)
    coefficients = np.rint(cosines @ blocks @ cosines.T / steps) * steps
    back = (cosines.T @ coefficients @ cosines).swapaxes(2, 3).reshape(padded.shape)
    return back[:, :height, :width] + MIDDLE
