"""What only line 10 has: precisions that the builder is allowed (weak typing), and calibrated int8. Line 11 removed both."""

from pathlib import Path

from projectkit.runtimes.tensorrt.options import Build


def allow(trt, config, build: Build) -> None:
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
        config.int8_calibrator = _from_cache(trt, Path(build.calibration).read_bytes())


def _from_cache(trt, cache: bytes):
    """A calibrator that has been to work before: it knows the ranges and is given no images."""

    class Calibrator(trt.IInt8EntropyCalibrator2):
        def __init__(self):
            trt.IInt8EntropyCalibrator2.__init__(self)

        def get_batch_size(self):
            return 1

        def get_batch(self, names):
            return None

        def read_calibration_cache(self):
            return cache

        def write_calibration_cache(self, written):
            pass

    return Calibrator()
