"""Small honest and dishonest model files, made without TensorFlow: ONNX from its helpers, LiteRT from the flatbuffer schema."""

import functools
import random
from collections.abc import Iterator
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from projectkit.data import load


@functools.cache
def linear_weights() -> tuple[np.ndarray, np.ndarray]:
    """W (64, 10) and b (10,) of a logistic regression on the digits' training split."""
    from sklearn.linear_model import LogisticRegression

    train = load("digits").train
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(train.x.reshape(len(train), -1), train.y)
    return fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)


def onnx_model(nodes: list, constants: dict[str, np.ndarray], *, shape=(8, 8, 1), classes=10, opset=17) -> bytes:
    """An ONNX model from `nodes`, which turn "x" (n, *shape) into "y" (n, classes)."""
    graph = helper.make_graph(
        nodes,
        "by_hand",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="tests"
    ).SerializeToString()


def linear_onnx(hidden: int = 0) -> bytes:
    """Logistic regression as ONNX; with `hidden` units, the same function through a needlessly wide layer in between."""
    w, b = linear_weights()
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1)]
    if not hidden:
        return onnx_model([*nodes, helper.make_node("Gemm", ["flat", "w", "b"], ["y"])], {"w": w, "b": b})
    wide = np.zeros((64, hidden), np.float32)
    wide[np.arange(64), np.arange(64)] = 1
    narrow = np.zeros((hidden, 10), np.float32)
    narrow[:64] = w
    nodes += [helper.make_node("Gemm", ["flat", "v"], ["h"]), helper.make_node("Gemm", ["h", "w", "b"], ["y"])]
    return onnx_model(nodes, {"v": wide, "w": narrow, "b": b})


def linear_tflite(*, w: np.ndarray | None = None, b: np.ndarray | None = None, shape=(8, 8, 1), custom: str = "") -> bytes:
    """Logistic regression as one FULLY_CONNECTED (or the operator `custom`) in a LiteRT flatbuffer."""
    from ai_edge_litert import schema_py_generated as schema

    if w is None:
        w, b = linear_weights()
    classes = w.shape[1]

    def tensor(name: str, size: list[int], buffer: int, signature: list[int] | None = None) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.shape, made.buffer, made.type = name.encode(), size, buffer, schema.TensorType.FLOAT32
        made.shapeSignature = signature
        return made

    def buffer(value: np.ndarray | None) -> schema.BufferT:
        made = schema.BufferT()
        made.data = None if value is None else np.frombuffer(value.astype(np.float32).tobytes(), np.uint8)
        return made

    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", [1, *shape], 0, [-1, *shape]),
        tensor("w", [classes, int(np.prod(shape))], 1),
        tensor("b", [classes], 2),
        tensor("y", [1, classes], 0, [-1, classes]),
    ]
    graph.inputs, graph.outputs = [0], [3]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    code = schema.OperatorCodeT()
    code.version = 1
    if custom:
        code.builtinCode = schema.BuiltinOperator.CUSTOM
        code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = custom.encode()
    else:
        code.builtinCode = schema.BuiltinOperator.FULLY_CONNECTED
        code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators = [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [buffer(None), buffer(w.T), buffer(b)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def slow_onnx(turns: int = 2**40) -> bytes:
    """An ONNX Loop that multiplies matrices for longer than anyone waits."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still"]),
            helper.make_node("MatMul", ["state", "state"], ["product"]),
            helper.make_node("Tanh", ["product"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [128, 128]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [128, 128]),
        ],
    )
    w, b = linear_weights()
    nodes = [
        helper.make_node("Loop", ["turns", "yes", "start"], ["end"], body=body),
        helper.make_node("ReduceSum", ["end"], ["sum"], keepdims=0),
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("Add", ["logits", "sum"], ["y"]),
    ]
    constants = {
        "turns": np.array(turns, np.int64),
        "yes": np.array(True),
        "start": np.eye(128, dtype=np.float32),
        "w": w,
        "b": b,
    }
    return onnx_model(nodes, constants)


def long_onnx(products: int = 64, size: int = 4096) -> bytes:
    """An ONNX model without a loop that multiplies large matrices for longer than anyone waits: a second or more each."""
    w, b = linear_weights()
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("ReduceMax", ["logits"], ["most"], keepdims=0),
        helper.make_node("Expand", ["most", "size"], ["product0"]),
    ]
    for index in range(products):
        nodes.append(helper.make_node("MatMul", [f"product{index}"] * 2, [f"large{index}"]))
        nodes.append(helper.make_node("Tanh", [f"large{index}"], [f"product{index + 1}"]))
    nodes.append(helper.make_node("ReduceMean", [f"product{products}"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Add", ["logits", "mean"], ["y"]))
    return onnx_model(nodes, {"w": w, "b": b, "size": np.array([size, size], np.int64)})


def huge_onnx(gigabytes: int = 30) -> bytes:
    """An ONNX model that asks for `gigabytes` of memory when it runs."""
    w, b = linear_weights()
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("ReduceMax", ["logits"], ["most"], keepdims=0),
        helper.make_node("Expand", ["most", "size"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0),
        helper.make_node("Add", ["logits", "mean"], ["y"]),
    ]
    return onnx_model(nodes, {"w": w, "b": b, "size": np.array([gigabytes, 250_000_000], np.int64)})


def external_onnx(location: str) -> bytes:
    """The linear model whose weights are said to lie in another file, `location`."""
    model = onnx.load_from_string(linear_onnx())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return model.SerializeToString()


def custom_onnx() -> bytes:
    """An ONNX model with an operator that no runtime knows."""
    return onnx_model([helper.make_node("Surprise", ["x"], ["y"], domain="unknown.example")], {})


def saved(folder: Path, name: str, content: bytes) -> Path:
    """Writes `content` to `folder`/`name` and returns the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def flipped(content: bytes, seed: int, copies: int = 300) -> Iterator[bytes]:
    """Copies of a file with some bytes changed."""
    rng = random.Random(seed)
    for _ in range(copies):
        broken = bytearray(content)
        for _ in range(rng.choice([1, 4, 32])):
            # The structure sits at the ends of the file, the weights between them.
            place = rng.choice([rng.randrange(len(broken)), rng.randrange(400), len(broken) - 1 - rng.randrange(400)])
            broken[place] = rng.randrange(256)
        yield bytes(broken)
