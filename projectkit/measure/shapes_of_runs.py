"""Compares the shapes that a file is counted by with those that the runtime computes."""

from pathlib import Path

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.tensors import to_stored
from projectkit.types import Artifact, Tensor

IMAGES = 4  # whose shapes are looked at; one that depends on the image is refused for its kind before


def check_shapes(artifact: Artifact, x: np.ndarray) -> None:
    """Raises ArtifactError when the shapes that the file is counted by are not those of a call with one example.

    `read_graph` counts a .tflite file with the shapes in the file, and an .onnx file with those that follow from its operators.
    Whoever edits them there, or has them follow from the image, changes the count and not the model. This runs the file on the
    first IMAGES of x (n, ...), without any optimization, and compares the shape of every value; so strangers' files go through it
    in a sandbox only. The other formats hold no shapes. They pass.
    """
    checks = {"litert": _check_litert, "onnx": _check_onnx}
    if artifact.format not in checks:
        return
    try:
        checks[artifact.format](artifact, x[:IMAGES])
    except (ArtifactError, MemoryError):
        raise
    except Exception as error:  # onnxruntime's own exceptions share no public base class, and strangers' files raise anything
        raise ArtifactError(
            f"{artifact.path}: its shapes cannot be compared with those of a run ({in_words(error)}). Export it again."
        ) from error


def _check_litert(artifact: Artifact, x: np.ndarray) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from projectkit.measure.litert_file import parse

    file = parse(Path(artifact.path).read_bytes())
    # Without the delegate, which would replace the operators whose shapes are wanted, and with every tensor kept.
    interpreter = Interpreter(
        model_path=artifact.path,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    given = interpreter.get_input_details()[0]
    if file.batch != 1:
        raise ArtifactError(
            f"{artifact.path}: states its shapes for {file.batch} inputs at once, expected those for one. Export it with a free "
            "batch axis, or a batch of 1."
        )
    interpreter.resize_tensor_input(given["index"], (1, *given["shape"][1:]))
    interpreter.allocate_tensors()
    for operation in file.operations:
        for index in operation.outputs:
            if file.tensors[index].elements and not _has_place(interpreter, index):
                raise ArtifactError(_moving(artifact, file.tensors[index].name))
    scale, zero_point = given["quantization"]
    stored = to_stored(x, Tensor(given["name"], x.shape[1:], np.dtype(given["dtype"]).name, float(scale), int(zero_point)))
    for example in range(len(stored)):
        interpreter.set_tensor(given["index"], stored[example : example + 1])
        interpreter.invoke()
        details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
        for index, tensor in enumerate(file.tensors):
            if index in details:
                _compare(artifact, tensor.name, tensor.shape, details[index]["shape"])


def _has_place(interpreter: "object", index: int) -> bool:
    """Whether the runtime has given the tensor its memory before it runs, as it does where the shapes are known."""
    try:
        interpreter.get_tensor(index)  # type: ignore[attr-defined]
    except ValueError:
        return False
    return True


def _check_onnx(artifact: Artifact, x: np.ndarray) -> None:
    import onnx
    import onnxruntime

    from projectkit.measure.onnx_file import constants_of
    from projectkit.measure.onnx_shapes import infer_shapes

    model = onnx.load_from_string(Path(artifact.path).read_bytes())
    if model.functions:
        import onnx.inliner

        model = onnx.inliner.inline_local_functions(model)
    constants = constants_of(model.graph)
    shapes, _ = infer_shapes(model, constants)
    outputs = {value.name for value in model.graph.output}
    names = [name for node in model.graph.node if node.op_type != "Constant" for name in node.output if name in shapes]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in outputs)
    del model.graph.value_info[:]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    dtype = onnx.helper.tensor_dtype_to_np_dtype(
        next(value for value in model.graph.input if value.name == given.name).type.tensor_type.elem_type
    )
    for example in range(len(x)):
        found = session.run(names, {given.name: x[example : example + 1].astype(dtype)}) if names else []
        for name, value in zip(names, found, strict=True):
            _compare(artifact, name, shapes[name], np.shape(value))


def _compare(artifact: Artifact, name: str, counted: tuple[int, ...], computed: "np.ndarray | tuple[int, ...]") -> None:
    right = tuple(int(size) for size in computed)
    if right != counted:
        raise ArtifactError(
            f"{artifact.path}: says that {name!r} has shape {counted}, but it is {right}. "
            "Its operations cannot be counted; export it again from the model."
        )


def _moving(artifact: Artifact, name: str) -> str:
    return (
        f"{artifact.path}: the shape of {name!r} is known only when the model runs, expected one that the image does not decide. "
        "Its operations cannot be counted; export it with fixed sizes but for the batch axis."
    )
