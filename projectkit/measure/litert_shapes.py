"""Compares the shapes that a .tflite file claims with those that the runtime computes."""

from projectkit.errors import ArtifactError
from projectkit.runtimes.failures import in_words
from projectkit.types import Artifact


def check_shapes(artifact: Artifact) -> None:
    """Raises ArtifactError when the file's shapes are not the ones that LiteRT arrives at for one example.

    `read_graph` counts with the shapes in the file, because it does not load a file into a runtime. Whoever edits them
    there changes the count and not the model. This loads the file (and runs nothing), so that strangers' files go through it
    in a sandbox only. .onnx files need it not: their shapes are inferred from the operators. They pass.
    """
    if artifact.format != "litert":
        return
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        # Without the delegate, which would replace the operators whose shapes are wanted.
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_path=artifact.path, num_threads=1, experimental_op_resolver_type=plain)
        claimed = {detail["index"]: tuple(detail["shape"]) for detail in interpreter.get_tensor_details()}
        given = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(given["index"], (max(1, given["shape"][0]), *given["shape"][1:]))
        interpreter.allocate_tensors()
        computed = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    except (ValueError, RuntimeError, IndexError) as error:
        raise ArtifactError(f"{artifact.path}: LiteRT cannot prepare this file ({in_words(error)}).") from error
    for index, shape in claimed.items():
        if index in computed and tuple(computed[index]["shape"]) != shape:
            name, right = computed[index]["name"], tuple(int(size) for size in computed[index]["shape"])
            raise ArtifactError(
                f"{artifact.path}: says that {name!r} has shape {tuple(int(size) for size in shape)}, but it is {right}. "
                "Its operations cannot be counted; export it again from the model."
            )
