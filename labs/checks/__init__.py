"""What the check cells of the notebooks call: each function says that an answer is right, or asserts with the reason why not."""

import numpy as np


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
