"""Which of TensorRT's two living lines is here, and whether there is a GPU for it."""

import ctypes
import functools
import re
import sys
from types import ModuleType

from projectkit.errors import ArtifactError, NotHere

LINES = (10, 11)
_BANNER = re.compile(r"\[TensorRT v(\d+)\]")


def line_of(version: str) -> int:
    """10 or 11, of a version such as "10.16.1.11". Raises ArtifactError for another line."""
    major = int(version.split(".")[0]) if version.split(".")[0].isdigit() else 0
    if major not in LINES:
        raise ArtifactError(
            f"TensorRT {version}: this is written for the lines {LINES[0]}.x and {LINES[1]}.x. Install a version of one of them."
        )
    return major


def line_printed(text: str) -> int:
    """10 or 11, from the first line that trtexec prints ("&&&& RUNNING TensorRT.trtexec [TensorRT v101600] …").

    The number is major·10000 + minor·100 + patch since 10.0, and major·1000 + … before. Raises ArtifactError when the line is
    missing, or names another line of TensorRT.
    """
    found = _BANNER.search(text)
    if found is None:
        raise ArtifactError("trtexec: its output does not begin with its version, [TensorRT v…]. Run `trtexec --help` by hand.")
    number = int(found[1])
    major = number // 10_000 if number >= 100_000 else number // 1000
    return line_of(f"{major}")


def package() -> ModuleType:
    """The module `tensorrt`. Raises NotHere where there is no NVIDIA GPU, or no TensorRT for it."""
    if not gpus():
        raise NotHere("no NVIDIA GPU")
    try:
        import tensorrt
    except ImportError as error:
        raise NotHere(
            "there is an NVIDIA GPU, but no TensorRT (on a Jetson it comes with JetPack, elsewhere: pip install tensorrt)"
        ) from error
    return tensorrt


@functools.cache
def gpus() -> int:
    """How many NVIDIA GPUs the driver of this machine can use; 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
