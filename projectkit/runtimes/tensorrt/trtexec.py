"""NVIDIA's command-line program trtexec: the command for each line, and a run of it.

The lines time differently by default. Line 11 leaves the transfers between host and device out, replays a CUDA graph, waits
actively and profiles layers in a run of its own; line 10 gets the flags that make it do the same.
Source of the flags: github.com/NVIDIA/TensorRT, samples/common/sampleOptions.cpp, tags v10.3.0, v10.16, v11.1.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from projectkit.errors import ArtifactError, NotHere
from projectkit.runtimes.tensorrt.lines import gpus, line_printed
from projectkit.runtimes.tensorrt.options import Build, check
from projectkit.runtimes.tensorrt.trtexec_output import LayerTime, Summary, parse_profile, parse_summary
from projectkit.types import Artifact

PLACES = ("/usr/src/tensorrt/bin",)  # where JetPack puts it
TIMEOUT = 3600  # seconds
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Run:
    """How an engine is timed: for at least `seconds` and `iterations`, after `warm_up` seconds. verbose: the builder says where
    each layer runs. The files are written where a path is given."""

    seconds: float = 3.0
    warm_up: float = 0.2
    iterations: int = 10
    verbose: bool = False
    save_engine: str | None = None
    export_times: str | None = None
    export_profile: str | None = None
    export_layer_info: str | None = None


def command(onnx: str, build: Build, run: Run, line: int, *, program: str = "trtexec") -> list[str]:
    """The words of the command that builds `onnx` and times it on `line` 10 or 11.

    Raises ExportError for an option that the line does not know.
    """
    check(build, line)
    return [program, f"--onnx={onnx}", *_build_words(build, line), *_run_words(run), *_comparable(build, line)]


def _build_words(build: Build, line: int) -> list[str]:
    words = [f"--{precision}" for precision in build.precisions]
    if build.strongly_typed and line < 11:
        words.append("--stronglyTyped")
    if build.calibration:
        words.append(f"--calib={build.calibration}")
    words += _shape_words(build)
    if build.workspace is not None:
        words.append(f"--memPoolSize=workspace:{build.workspace / MEBIBYTE:g}M")
    if build.timing_cache:
        words.append(f"--timingCacheFile={build.timing_cache}")
    if build.sparsity:
        words.append("--sparsity=enable")
    if build.dla_core is not None:
        words.append(f"--useDLACore={build.dla_core}")
        words += ["--allowGPUFallback"] if build.gpu_fallback else []
    return [*words, f"--builderOptimizationLevel={build.level}", "--profilingVerbosity=detailed"]


def _shape_words(build: Build) -> list[str]:
    if not build.shapes:
        return []
    if all(shapes.is_fixed for shapes in build.shapes.values()):
        return [f"--shapes={_sizes(build, 'best')}"]
    words = {"minShapes": "least", "optShapes": "best", "maxShapes": "most"}
    return [f"--{flag}={_sizes(build, which)}" for flag, which in words.items()]


def _sizes(build: Build, which: str) -> str:
    return ",".join(f"{name}:{'x'.join(map(str, getattr(shapes, which)))}" for name, shapes in build.shapes.items())


def _run_words(run: Run) -> list[str]:
    words = [f"--warmUp={1000 * run.warm_up:g}", f"--duration={run.seconds:g}", f"--iterations={run.iterations}"]
    words += ["--verbose"] if run.verbose else []
    files = {
        "saveEngine": run.save_engine,
        "exportTimes": run.export_times,
        "exportProfile": run.export_profile,
        "exportLayerInfo": run.export_layer_info,
    }
    return [*words, *(f"--{flag}={path}" for flag, path in files.items() if path)]


def _comparable(build: Build, line: int) -> list[str]:
    """What makes both lines time the same thing. A CUDA graph and a DLA do not go together."""
    on_dla = build.dla_core is not None
    if line >= 11:
        return ["--noCudaGraph"] if on_dla else []
    return ["--noDataTransfers", *([] if on_dla else ["--useCudaGraph"]), "--useSpinWait", "--separateProfileRun"]


def installed() -> tuple[str, int]:
    """(path of trtexec, its line). Raises NotHere without an NVIDIA GPU or without the program."""
    if not gpus():
        raise NotHere("no NVIDIA GPU")
    program = shutil.which("trtexec") or shutil.which("trtexec", path=":".join(PLACES))
    if program is None:
        raise NotHere("there is an NVIDIA GPU, but no trtexec on the PATH (it comes with TensorRT's packages and JetPack)")
    answer = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return program, line_printed(answer.stdout)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What trtexec measured: the summary, the time of each layer, the inspector's JSON, the whole log."""

    summary: Summary
    layers: tuple[LayerTime, ...]
    layer_info: str
    log: str


def benchmark(artifact: Artifact, build: Build, *, seconds: float = 3.0) -> Benchmark:
    """Builds `artifact` with the trtexec that is installed and times it. Raises NotHere without a GPU or the program, ExportError
    for options that its line does not know, ArtifactError when it fails."""
    program, line = installed()
    with tempfile.TemporaryDirectory() as folder:
        profile, info = Path(folder) / "profile.json", Path(folder) / "layers.json"
        run = Run(seconds=seconds, verbose=True, export_profile=str(profile), export_layer_info=str(info))
        words = command(artifact.path, build, run, line, program=program)
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired as error:
            raise ArtifactError(f"{artifact.path}: trtexec took more than {TIMEOUT} s. Lower the level of the build.") from error
        log = done.stdout + done.stderr
        summary = parse_summary(log)
        if done.returncode or not summary.passed:
            errors = [text for text in log.splitlines() if "[E]" in text]
            reason = errors[0].split("[E]")[1].strip() if errors else f"exit code {done.returncode}"
            raise ArtifactError(f"{artifact.path}: trtexec failed ({reason[:200]}). Run it by hand: {' '.join(words)}")
        return Benchmark(summary, parse_profile(profile.read_text()), info.read_text(), log)
