"""Builds an engine from an .onnx file with TensorRT's Python API, on either line. Not run where the project is tested: no GPU."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from projectkit.errors import ArtifactError, ExportError, NotHere
from projectkit.runtimes.tensorrt import weak
from projectkit.runtimes.tensorrt.lines import line_of, package
from projectkit.runtimes.tensorrt.options import Build, Shapes, check
from projectkit.types import Artifact

if TYPE_CHECKING:
    import tensorrt


def build_engine(artifact: Artifact, build: Build) -> bytes:
    """The serialized engine of `artifact`, for this GPU and this version of TensorRT only.

    Raises NotHere without a GPU or TensorRT, ExportError for options that its line does not know, ArtifactError when the file
    cannot be read or built.
    """
    network, config, builder = _prepared(artifact, build)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ArtifactError(f"{artifact.path}: TensorRT built no engine of this file. Its log says why; try another precision.")
    if build.timing_cache:
        Path(build.timing_cache).write_bytes(bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def eligible_for_dla(artifact: Artifact, build: Build) -> tuple[tuple[str, bool], ...]:
    """(layer, whether the DLA could run it) of every layer of the network, before anything is fused. Raises what
    `build_engine` does, and ExportError when `build` has no DLA core."""
    if build.dla_core is None:
        raise ExportError("the build is for the GPU. Give it a DLA core: Build(dla_core=0, …).")
    network, config, _ = _prepared(artifact, build)
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return tuple((layer.name, config.can_run_on_DLA(layer)) for layer in layers)


def _prepared(
    artifact: Artifact, build: Build
) -> tuple["tensorrt.INetworkDefinition", "tensorrt.IBuilderConfig", "tensorrt.Builder"]:
    """(network, configuration, builder), ready to build."""
    trt = package()
    line = line_of(trt.__version__)
    check(build, line)
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    if build.dla_core is not None and build.dla_core >= builder.num_DLA_cores:
        raise NotHere(f"this device has {builder.num_DLA_cores} DLA cores, so there is no core {build.dla_core}")
    network = _network(trt, builder, typed=line >= 11 or build.strongly_typed)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(Path(artifact.path).read_bytes()):
        reasons = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise ArtifactError(f"{artifact.path}: TensorRT cannot read this file ({reasons[:300]}).")
    return network, _config(trt, builder, network, build, line), builder


def _network(trt: ModuleType, builder: "tensorrt.Builder", *, typed: bool) -> "tensorrt.INetworkDefinition":
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if typed else 0
    return builder.create_network(flags)


def _config(
    trt: ModuleType, builder: "tensorrt.Builder", network: "tensorrt.INetworkDefinition", build: Build, line: int
) -> "tensorrt.IBuilderConfig":
    config = builder.create_builder_config()
    config.builder_optimization_level = build.level
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # else the inspector knows names only
    if build.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, build.workspace)
    if build.sparsity:
        config.set_flag(trt.BuilderFlag.SPARSE_WEIGHTS)
    if build.timing_cache:
        known = Path(build.timing_cache).read_bytes() if Path(build.timing_cache).exists() else b""
        config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False)
    if build.dla_core is not None:
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = build.dla_core
        if build.gpu_fallback:
            config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    if line < 11:
        weak.allow(trt, config, build)
    if any(size < 1 for tensor in _inputs(network) for size in tensor.shape):
        config.add_optimization_profile(_profile(builder, network, build))
    return config


def _inputs(network: "tensorrt.INetworkDefinition") -> list["tensorrt.ITensor"]:
    return [network.get_input(index) for index in range(network.num_inputs)]


def _profile(
    builder: "tensorrt.Builder", network: "tensorrt.INetworkDefinition", build: Build
) -> "tensorrt.IOptimizationProfile":
    """The sizes of the inputs that have free axes; without a word of it, such an axis is 1."""
    profile = builder.create_optimization_profile()
    for tensor in _inputs(network):
        if any(size < 1 for size in tensor.shape):
            shapes = build.shapes.get(tensor.name, Shapes.fixed(*(max(1, size) for size in tensor.shape)))
            profile.set_shape(tensor.name, shapes.least, shapes.best, shapes.most)
    return profile
