"""What the check cells of the notebooks call: each function says that an answer is right, or asserts with the reason why not."""

import numpy as np

from projectkit import scale


def right(sentence: str) -> None:
    """Tells the student that the exercise is done."""
    print(f"✓ Right: {sentence}")


def close(got, expected, what: str, hint: str, *, tolerance: float = 1e-6) -> None:
    """Asserts that numbers or arrays agree to a relative `tolerance`."""
    got, expected = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert got.shape == expected.shape, f"{what}: your answer has shape {got.shape}, expected {expected.shape}. {hint}"
    assert np.allclose(got, expected, rtol=tolerance, atol=tolerance * 1e-6), (
        f"{what}: you have {np.round(got, 9)}, expected {np.round(expected, 9)}. {hint}"
    )


def reached(holds: bool, sentence: str, *numbers: float) -> None:
    """Asserts that what was trained has reached its goal; `numbers` are the measured ones, which must be finite.

    At the scale smoke, at which the notebooks are tested, nothing is trained long enough: there, only that is asserted.
    """
    assert np.all(np.isfinite(numbers)), f"Expected finite numbers, you have {numbers}. {sentence}"
    assert holds or scale.current() == "smoke", sentence
