"""Small model files that ask for much: recursion, endless loops, growth by doubling, depth, lists that point at one place."""

from collections.abc import Callable, Mapping

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper

from models_by_hand import linear_tflite, linear_weights, onnx_model

DOMAIN = "mine"


def onnx_with_functions(functions: list) -> bytes:
    """Logistic regression whose logits pass through the function f0."""
    w, b = linear_weights()
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1), helper.make_node("Gemm", ["flat", "w", "b"], ["z"])]
    nodes.append(helper.make_node("f0", ["z"], ["y"], domain=DOMAIN))
    model = onnx.load_from_string(onnx_model(nodes, {"w": w, "b": b}))
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    model.functions.extend(functions)
    return model.SerializeToString()


def function(name: str, *calls: str) -> onnx.FunctionProto:
    """A function that passes its input through each of `calls`, one after the other."""
    values = ["a", *(f"v{index}" for index in range(len(calls) - 1)), "b"]
    nodes = [
        helper.make_node(call, [values[index]], [values[index + 1]], domain=DOMAIN if call.startswith("f") else "")
        for index, call in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_function(DOMAIN, name, ["a"], ["b"], nodes, opsets)


def onnx_calls_itself() -> bytes:
    return onnx_with_functions([function("f0", "Identity", "f0")])


def onnx_calls_each_other() -> bytes:
    return onnx_with_functions([function("f0", "f1"), function("f1", "f2"), function("f2", "f0")])


def onnx_doubles() -> bytes:
    """Forty functions, each of which calls the next twice: a million million nodes when they are written out."""
    functions = [function(f"f{level}", f"f{level + 1}", f"f{level + 1}") for level in range(40)]
    return onnx_with_functions([*functions, function("f40", "Identity")])


def _looped(count: int) -> bytes:
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["on"]), helper.make_node("Identity", ["before"], ["after"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
        ],
    )
    w, b = linear_weights()
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1), helper.make_node("Gemm", ["flat", "w", "b"], ["z"])]
    nodes.append(helper.make_node("Loop", ["count", "yes", "z"], ["y"], body=body))
    return onnx_model(nodes, {"w": w, "b": b, "count": np.int64(count), "yes": np.bool_(True)})


def onnx_loops() -> bytes:
    return _looped(2**62)


def onnx_deep() -> bytes:
    """Graphs in attributes of graphs, ten thousand levels: as bytes, because no library writes them."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(10_000):
        attribute = field(1, b"body") + field(6, graph) + b"\xa0\x01\x05"  # name, g, type GRAPH
        graph = field(1, field(4, b"If") + field(5, attribute))
    return b"\x08\x08" + field(7, graph)


def onnx_long() -> bytes:
    """A chain of a hundred thousand operators that do nothing."""
    w, b = linear_weights()
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1), helper.make_node("Gemm", ["flat", "w", "b"], ["v0"])]
    nodes += [helper.make_node("Identity", [f"v{index}"], [f"v{index + 1}"]) for index in range(100_000)]
    nodes.append(helper.make_node("Identity", ["v100000"], ["y"]))
    return onnx_model(nodes, {"w": w, "b": b})


def onnx_claims_much() -> bytes:
    """A weight of 10¹⁵ numbers that stores none."""
    w, b = linear_weights()
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1), helper.make_node("Gemm", ["flat", "w", "b"], ["y"])]
    model = onnx.load_from_string(onnx_model(nodes, {"w": w, "b": b}))
    model.graph.initializer[0].dims[:] = [10**9, 10**6]
    return model.SerializeToString()


def _rewritten(change: Callable[["schema.ModelT"], None]) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(linear_tflite(), 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(model: "schema.ModelT", number: int) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _tensor(graph: "schema.SubGraphT", name: str, shape: list[int], kind: int) -> int:
    made = schema.TensorT()
    made.name, made.shape, made.buffer, made.type = name.encode(), shape, 0, kind
    graph.tensors.append(made)
    return len(graph.tensors) - 1


def _last_operator(model: "schema.ModelT", number: int, options: object, kind: int) -> None:
    """The logits pass through one more operator."""
    graph = model.subgraphs[0]
    made = schema.OperatorT()
    made.opcodeIndex, made.builtinOptionsType, made.builtinOptions = _code(model, number), kind, options
    result = _tensor(graph, "through", [1, 10], schema.TensorType.FLOAT32)
    made.inputs, made.outputs = [graph.outputs[0]], [result]
    graph.operators.append(made)
    graph.outputs = [result]


def lite_calls_itself() -> bytes:
    def change(model):
        options = schema.CallOptionsT()
        options.subgraph = 0
        _last_operator(model, schema.BuiltinOperator.CALL, options, schema.BuiltinOptions.CallOptions)

    return _rewritten(change)


def _part(model: "schema.ModelT", *, condition: bool) -> int:
    """The index of another graph: a condition that always says yes, or a body that changes nothing."""
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.name = [], [], b"part"
    through = _tensor(graph, "in", [1, 10], schema.TensorType.FLOAT32)
    graph.inputs, graph.outputs = [through], [through]
    if condition:
        yes = schema.BufferT()
        yes.data = np.uint8([1])
        model.buffers.append(yes)
        going = _tensor(graph, "yes", [1], schema.TensorType.BOOL)
        graph.tensors[going].buffer = len(model.buffers) - 1
        graph.outputs = [going]
    model.subgraphs.append(graph)
    return len(model.subgraphs) - 1


def _while(model: "schema.ModelT", condition: int, body: int) -> None:
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = condition, body
    _last_operator(model, schema.BuiltinOperator.WHILE, options, schema.BuiltinOptions.WhileOptions)


def lite_loops() -> bytes:
    """WHILE, whose condition is a constant that says yes."""
    return _rewritten(lambda model: _while(model, _part(model, condition=True), _part(model, condition=False)))


def lite_while_in_itself() -> bytes:
    """WHILE, whose body is the graph that it stands in."""
    return _rewritten(lambda model: _while(model, _part(model, condition=True), 0))


def lite_whiles_in_each_other() -> bytes:
    """Two graphs, each the body of a WHILE in the other."""

    def change(model):
        condition, other = _part(model, condition=True), _part(model, condition=False)
        _while(model, condition, other)
        model.subgraphs.insert(0, model.subgraphs.pop(other))
        _while(model, condition + 1, 1)
        model.subgraphs.insert(other, model.subgraphs.pop(0))

    return _rewritten(change)


def lite_one_tensor_many_times() -> bytes:
    """A list of half a million tensors, all of which are the same place in the file."""
    builder = flatbuffers.Builder(4096)
    name = builder.CreateString("t")
    schema.TensorStart(builder)
    schema.TensorAddName(builder, name)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, 500_000)
    for _turn in range(500_000):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    builder.StartVector(4, 1, 4)
    builder.PrependInt32(0)
    inputs = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    schema.SubGraphAddInputs(builder, inputs)
    schema.SubGraphAddOutputs(builder, inputs)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.BufferStart(builder)
    buffer = schema.BufferEnd(builder)
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def lite_claims_much() -> bytes:
    """Activations of 10¹² numbers."""

    def change(model):
        model.subgraphs[0].tensors[3].shape = [100_000, 10_000_000]

    return _rewritten(change)


ONNX: Mapping[str, Callable[[], bytes]] = {
    "calls_itself": onnx_calls_itself,
    "calls_each_other": onnx_calls_each_other,
    "doubles": onnx_doubles,
    "loops": onnx_loops,
    "deep": onnx_deep,
    "long": onnx_long,
    "claims_much": onnx_claims_much,
}
LITE: Mapping[str, Callable[[], bytes]] = {
    "calls_itself": lite_calls_itself,
    "loops": lite_loops,
    "while_in_itself": lite_while_in_itself,
    "whiles_in_each_other": lite_whiles_in_each_other,
    "one_tensor_many_times": lite_one_tensor_many_times,
    "claims_much": lite_claims_much,
}
