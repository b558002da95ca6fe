"""Which precision an .onnx graph says, and how a wanted one is reached on each line."""

from dataclasses import dataclass, replace
from pathlib import Path

from projectkit.errors import ExportError
from projectkit.runtimes.tensorrt.options import ON_DLA, Build, check
from projectkit.types import Artifact

NAMES = {"float32": "", "float16": "fp16", "bfloat16": "bf16", "int8": "int8", "float8": "fp8"}
AUTOCAST = "python -m modelopt.onnx.autocast --onnx_path IN.onnx --output_path OUT.onnx --low_precision_type"
WRITE = {  # what puts a precision into the graph
    "float16": "export.write(model, 'model.onnx', precision='float16', …), or " + AUTOCAST + " fp16",
    "bfloat16": AUTOCAST + " bf16",
    "int8": "export.write(model, 'model.onnx', precision='int8', preset='tensorrt', …)",
    "float8": "python -m modelopt.onnx.quantization --onnx_path IN.onnx --quantize_mode fp8",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How an engine of `precision` is built: the options, and in a sentence who chooses what."""

    precision: str
    build: Build
    sentence: str


def held(artifact: Artifact) -> frozenset[str]:
    """The precisions that an .onnx graph says: those of its float constants, "int8" and "float8" where it has such Q/DQ pairs."""
    import onnx

    graph = onnx.load_from_string(Path(artifact.path).read_bytes()).graph
    kinds = onnx.TensorProto
    names = {kinds.FLOAT: "float32", kinds.FLOAT16: "float16", kinds.BFLOAT16: "bfloat16"}
    quantized = {kinds.INT8: "int8", kinds.FLOAT8E4M3FN: "float8"}
    constants = {constant.name: constant.data_type for constant in graph.initializer}
    constants |= {
        node.output[0]: attribute.t.data_type
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    found = {names[kind] for kind in constants.values() if kind in names}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and len(node.input) > 2:
            kind = constants.get(node.input[2])
            found.add("other integers" if kind is None else quantized.get(kind, "other integers"))
    return frozenset(found)


def choose(artifact: Artifact, precision: str, line: int, build: Build | None = None) -> Plan:
    """How to build `artifact` in `precision` (a key of NAMES) on `line` 10 or 11, with the other options of `build`.

    On line 10 the builder is allowed the precision, and float16 beside int8 where that is faster, unless `build` is strongly
    typed. On line 11 the graph must hold it already. int8 takes Q/DQ pairs in the graph; on line 10 a calibration cache does.
    Raises ExportError when the graph does not hold what it must, or when the options do not fit the line.
    """
    build = build or Build()
    if precision not in NAMES:
        raise ExportError(f"precision {precision!r} is unknown, expected one of {', '.join(NAMES)}.")
    if build.dla_core is not None and NAMES[precision] not in ON_DLA:
        raise ExportError(f"a DLA computes in float16 or int8, not in {precision}. Choose one of these.")
    inside = held(artifact)
    pairs_needed = precision in ("int8", "float8") and not build.calibration
    typed = line >= 11 or build.strongly_typed
    if (typed or pairs_needed) and precision not in inside:
        says, where = ", ".join(sorted(inside)) or "no precision", " on TensorRT 11" if line >= 11 else ""
        raise ExportError(
            f"{Path(artifact.path).name} says {says} and not {precision}, which must stand in the graph{where}. "
            f"Write it so: {WRITE.get(precision, 'as float32')}."
        )
    if "other integers" in inside:
        raise ExportError(
            f"{Path(artifact.path).name} is quantized to unsigned integers, which TensorRT does not read. Write it so: "
            f"{WRITE['int8']}."
        )
    if typed:
        plan = Plan(precision, build, f"the graph says {precision} wherever it is used; the builder chooses kernels only")
    else:
        allowed = {"float32": (), "int8": ("int8", "fp16"), "float8": ("fp8", "fp16")}.get(precision, (NAMES[precision],))
        words = " and ".join(allowed) or "nothing but float32"
        plan = Plan(precision, replace(build, precisions=allowed), f"the builder is allowed {words}, and takes what is fastest")
    check(plan.build, line)
    return plan
