"""What only line 10 has: precisions that the builder is allowed (weak typing), and calibrated int8. Line 11 removed both."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from projectkit.runtimes.tensorrt.options import Build

if TYPE_CHECKING:
    import tensorrt


def allow(trt: ModuleType, config: "tensorrt.IBuilderConfig", build: Build) -> None:
    """Sets the precision flags of `build` in a builder's configuration, and its calibration cache."""
    flags = {
        "fp16": trt.BuilderFlag.FP16,
        "bf16": trt.BuilderFlag.BF16,
        "int8": trt.BuilderFlag.INT8,
        "fp8": trt.BuilderFlag.FP8,
    }
    for precision in build.precisions:
        config.set_flag(flags[precision])
    if build.calibration:
        config.int8_calibrator = _from_cache(Path(build.calibration).read_bytes())


def _from_cache(cache: bytes) -> "tensorrt.IInt8EntropyCalibrator2":
    """A calibrator that has been to work before: it knows the ranges and is given no images."""
    import tensorrt as trt

    class Calibrator(trt.IInt8EntropyCalibrator2):
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str]) -> None:
            return None

        def read_calibration_cache(self) -> bytes:
            return cache

        def write_calibration_cache(self, written: bytes) -> None:
            pass

    return Calibrator()
