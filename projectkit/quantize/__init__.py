"""Quantization: the numerics that students derive, and quantization-aware training.

Formulas: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
2018; Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference: a whitepaper", 2018.

The numerics (`affine`, `observers`) are NumPy alone; `qat` and `sensitivity` need TensorFlow and are imported on demand.
"""

from projectkit.quantize.affine import dequantize, fake_quantize, quantize, scale_and_zero_point
from projectkit.quantize.observers import OBSERVERS

__all__ = [
    "OBSERVERS",
    "dequantize",
    "fake_quantize",
    "quantize",
    "scale_and_zero_point",
]
