"""How an engine is built, as data: the same for the Python API and for trtexec, checked against what a line can do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from projectkit.errors import ExportError

PRECISIONS = ("fp16", "bf16", "int8", "fp8")  # what line 10 may be allowed besides float32
ON_DLA = ("fp16", "int8")
DLA_BATCH, DLA_SIZE = 4096, 8192  # docs.nvidia.com/deeplearning/tensorrt, "DLA Supported Layers and Restrictions"


@dataclass(frozen=True, slots=True)
class Shapes:
    """The sizes of one input, batch axis included: the smallest, the one to optimize for, the largest."""

    least: tuple[int, ...]
    best: tuple[int, ...]
    most: tuple[int, ...]

    @classmethod
    def fixed(cls, *shape: int) -> "Shapes":
        """One size only."""
        return cls(shape, shape, shape)

    @property
    def is_fixed(self) -> bool:
        return self.least == self.best == self.most


@dataclass(frozen=True, slots=True)
class Build:
    """How an engine is built from an .onnx file.

    shapes         by input; every input whose batch is free in the file needs one
    precisions     what the builder may compute in besides float32 (line 10, weak typing): "fp16", "bf16", "int8", "fp8".
                   Empty: only what the graph says
    calibration    path of a calibration cache: ranges of the activations for int8 without Q/DQ in the graph (line 10)
    strongly_typed the graph alone says every precision; what line 11 always does
    workspace      bytes of scratch memory that kernels may use; None: all of the GPU's
    timing_cache   path of a file that remembers how long kernels took, so that the next build is faster
    sparsity       use the tensor cores' 2:4 sparsity for kernels that have the pattern
    dla_core       the DLA core to build for; None: the GPU
    gpu_fallback   what the DLA cannot run goes to the GPU, silently; without, building fails
    level          0 to 5, how long the builder searches
    """

    shapes: Mapping[str, Shapes] = field(default_factory=dict)
    precisions: tuple[str, ...] = ()
    calibration: str | None = None
    strongly_typed: bool = False
    workspace: int | None = None
    timing_cache: str | None = None
    sparsity: bool = False
    dla_core: int | None = None
    gpu_fallback: bool = True
    level: int = 3


def check(build: Build, line: int) -> None:
    """Raises ExportError, saying what to do instead, when `line` (10 or 11) cannot build so."""
    _check_precisions(build, line)
    if not 0 <= build.level <= 5:
        raise ExportError(f"level is {build.level}, expected 0 to 5: how long TensorRT searches for fast kernels.")
    if build.workspace is not None and build.workspace < 1:
        raise ExportError(f"workspace is {build.workspace} bytes, expected at least 1, or None for all memory of the GPU.")
    for name, shapes in build.shapes.items():
        _check_shapes(name, shapes, build.dla_core)


def _check_precisions(build: Build, line: int) -> None:
    unknown = [precision for precision in build.precisions if precision not in PRECISIONS]
    if unknown:
        raise ExportError(f"precision {unknown[0]!r} is unknown, expected some of {', '.join(PRECISIONS)}.")
    if line >= 11 and build.precisions:
        flags = ", ".join(f"--{precision}" for precision in build.precisions)
        raise ExportError(
            f"TensorRT {line} has no {flags}: its networks are strongly typed, the precision stands in the graph. Convert the "
            "graph: write it as float16, or as int8 with preset='tensorrt' (Q/DQ), and build it without precisions."
        )
    if line >= 11 and build.calibration:
        raise ExportError(
            f"TensorRT {line} does not calibrate. Write the ranges into the graph: int8 with preset='tensorrt' (Q/DQ)."
        )
    if build.strongly_typed and (build.precisions or build.calibration):
        raise ExportError(
            "strongly_typed and precisions exclude each other: either the graph says every precision, or the builder chooses."
        )
    if build.calibration and "int8" not in build.precisions:
        raise ExportError("a calibration cache is for int8, which is not among the precisions. Add 'int8', or leave it out.")
    if build.dla_core is not None and line < 11 and not build.strongly_typed and not set(build.precisions) & set(ON_DLA):
        raise ExportError(
            f"a DLA computes in {' or '.join(ON_DLA)}, and neither is allowed here. Add precisions=('fp16',) or ('int8', 'fp16')."
        )


def _check_shapes(name: str, shapes: Shapes, dla_core: int | None) -> None:
    sizes = list(zip(shapes.least, shapes.best, shapes.most, strict=False))
    same_length = len(shapes.least) == len(shapes.best) == len(shapes.most)
    if not same_length or not sizes or any(not 1 <= low <= middle <= high for low, middle, high in sizes):
        raise ExportError(
            f"shapes of {name!r} are {shapes.least}, {shapes.best}, {shapes.most}; expected three of one length, none smaller "
            "than the one before, from 1 on."
        )
    if dla_core is None:
        return
    if not shapes.is_fixed:
        raise ExportError(f"shapes of {name!r} vary, and a DLA takes fixed ones only. Use Shapes.fixed(…).")
    if shapes.best[0] > DLA_BATCH or max(shapes.best[1:], default=1) > DLA_SIZE:
        raise ExportError(
            f"shape {shapes.best} of {name!r} is too large for a DLA: batch at most {DLA_BATCH}, other sizes at most {DLA_SIZE}."
        )
