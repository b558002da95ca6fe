"""Matrix products in the runtimes that run models, to see what a processor multiplies at best."""

from collections.abc import Callable

import numpy as np


def onnx_product(dtype: str, shape: tuple[int, int, int], threads: int) -> Callable[[], object]:
    """A call that multiplies (rows, inner) by a constant (inner, columns) in ONNX Runtime; shape: (rows, inner, columns).

    dtype: "float32", or "int8" for unsigned times signed with sums in int32.
    """
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    x, w = _operands(shape, *((np.uint8, np.int8) if dtype == "int8" else (np.float32, np.float32)))
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger" if dtype == "int8" else "MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32 if dtype == "int8" else TensorProto.FLOAT, (shape[0], shape[2]))],
        [numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


def litert_product(dtype: str, shape: tuple[int, int, int], threads: int) -> Callable[[], object]:
    """The same in LiteRT, as a FULLY_CONNECTED operator; "int8" is signed times signed, and the result is int8."""
    from ai_edge_litert.interpreter import Interpreter

    from projectkit.quiet import quiet

    kind = np.int8 if dtype == "int8" else np.float32
    x, w = _operands(shape, kind, kind)
    with quiet():
        interpreter = Interpreter(model_content=_fully_connected(x, w), num_threads=threads)
        interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    return interpreter.invoke


def _operands(shape: tuple[int, int, int], left: type, right: type) -> tuple[np.ndarray, np.ndarray]:
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    arrays: list[np.ndarray] = []
    for size, kind in (((rows, inner), left), ((inner, columns), right)):
        if kind is np.float32:
            arrays.append(rng.standard_normal(size, dtype=np.float32))
        else:
            low = np.iinfo(kind).min + (kind is np.int8)  # symmetric weights do not use −128
            arrays.append(rng.integers(low, np.iinfo(kind).max, size, kind, endpoint=True))
    return arrays[0], arrays[1]


def _fully_connected(x: np.ndarray, w: np.ndarray) -> bytes:
    """A .tflite file of one operator: (rows, inner) times w, which LiteRT stores as (columns, inner)."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: bytes, shape: tuple[int, int], buffer: int, scale: float) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, np.array(shape, np.int32), buffer
        made.type = schema.TensorType.INT8 if w.dtype == np.int8 else schema.TensorType.FLOAT32
        if w.dtype == np.int8:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = np.array([scale], np.float32), np.array([0], np.int64)
        return made

    code, operator, graph, model = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 4
    operator.inputs, operator.outputs = np.array([0, 1], np.int32), np.array([2], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    weights = schema.BufferT()
    weights.data = np.frombuffer(np.ascontiguousarray(w.T).tobytes(), np.uint8)
    shapes = (x.shape, w.T.shape, (x.shape[0], w.shape[1]))
    graph.tensors = [tensor(b"xwy"[i : i + 1], shape, i == 1, (0.01, 0.01, 1.0)[i]) for i, shape in enumerate(shapes)]
    graph.operators, graph.inputs, graph.outputs = [operator], np.array([0], np.int32), operator.outputs
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT(), weights]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
