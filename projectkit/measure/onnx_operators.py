"""What the inputs of ONNX operators mean, as tables. Sources: onnx/docs/Operators.md, onnxruntime/docs/ContribOperators.md."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, Union

from projectkit.measure.dataflow import Operation

if TYPE_CHECKING:
    import onnx

Constant: TypeAlias = Union["onnx.TensorProto", "onnx.SparseTensorProto"]

# Operators that multiply and accumulate: (kind, position of the first operand, position of the second).
PRODUCTS = {
    "Conv": ("convolution", 0, 1),
    "FusedConv": ("convolution", 0, 1),
    "ConvInteger": ("convolution", 0, 1),
    "QLinearConv": ("convolution", 0, 3),
    "ConvTranspose": ("transposed", 0, 1),
    "Gemm": ("matrix", 0, 1),
    "FusedGemm": ("matrix", 0, 1),
    "QGemm": ("matrix", 0, 3),
    "MatMul": ("matrix", 0, 1),
    "FusedMatMul": ("matrix", 0, 1),
    "MatMulInteger": ("matrix", 0, 1),
    "QLinearMatMul": ("matrix", 0, 3),
    "DynamicQuantizeMatMul": ("matrix", 0, 1),
    "MatMulIntegerToFloat": ("matrix", 0, 1),
}

# Operators that multiply as well, but that cannot be counted from the file: no number is better than a wrong one.
UNCOUNTED = frozenset(
    [
        "If",
        "Loop",
        "Scan",
        "SequenceMap",
        "LSTM",
        "GRU",
        "RNN",
        "Einsum",
        "DeformConv",
        "Attention",
        "MultiHeadAttention",
        "GroupQueryAttention",
        "MatMulNBits",
        "MatMulBnb4",
        "QAttention",
        "DynamicQuantizeLSTM",
        "NhwcConv",
        "NhwcFusedConv",
        "QLinearConvTranspose",
        "MoE",
        "QMoE",
    ]
)

# Inputs that are shapes, axes, bounds, scales or zero points, by operator; every other input is data.
_REDUCTIONS = "Max Mean Min Prod Sum SumSquare L1 L2 LogSum LogSumExp"
_ONE_SCALE = ("QLinearGlobalAveragePool", "QLinearAveragePool", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax")
NOT_DATA = {
    **dict.fromkeys((f"Reduce{name}" for name in _REDUCTIONS.split()), (1,)),
    **dict.fromkeys(("Reshape", "Unsqueeze", "Squeeze", "Expand", "Upsample", "Tile", "TopK", "Split", "Trilu", "CumSum"), (1,)),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND", "ScatterND", "CastLike", "QLinearReduceMean"), (1,)),
    **dict.fromkeys(("Shape", "Size", "ConstantOfShape"), (0,)),
    **dict.fromkeys(("Pad", "Resize"), (1, 2, 3)),
    **dict.fromkeys(("Clip", "OneHot", "Dropout", "QuantizeLinear", "DequantizeLinear"), (1, 2)),
    **dict.fromkeys(("ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul"), (2, 3)),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul"), (1, 2, 4, 5, 6, 7)),
    **dict.fromkeys(_ONE_SCALE, (1, 2, 3, 4)),
    **{"Slice": (1, 2, 3, 4), "Range": (0, 1, 2), "QGemm": (1, 2, 4, 5, 7, 8), "MatMulIntegerToFloat": (2, 3, 4, 5)},
    **{"QLinearConcat": (0, 1)},  # then (data, scale, zero point) for every part, see is_data
}

# (operator, position of a stored operand) → (position of its zero point, the axis it goes along when it is a list).
ZERO_POINTS = {
    ("QLinearConv", 3): (5, 0),
    ("ConvInteger", 1): (3, 0),
    ("QLinearMatMul", 0): (2, -1),
    ("QLinearMatMul", 3): (5, -1),
    ("MatMulInteger", 1): (3, -1),
    ("DynamicQuantizeMatMul", 1): (3, -1),
    ("MatMulIntegerToFloat", 1): (5, -1),
    ("QGemm", 3): (5, -1),
    ("QLinearAdd", 0): (2, 0),
    ("QLinearAdd", 3): (5, 0),
    ("QLinearMul", 0): (2, 0),
    ("QLinearMul", 3): (5, 0),
    ("DequantizeLinear", 0): (2, 1),
}

# ONNX's shape inference knows only its own operators. For shapes, these of ONNX Runtime's stand for:
# operator → (ONNX operator, the inputs that it takes; a slice where their number is free).
SHAPED_LIKE: Mapping[str, tuple[str, tuple[int, ...] | slice]] = {
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearConcat": ("Concat", slice(2, None, 3)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearSigmoid": ("Identity", (0,)),
    "QLinearLeakyRelu": ("Identity", (0,)),
    "QLinearSoftmax": ("Identity", (0,)),
    "QuantizeLinear": ("Identity", (0,)),
    "DequantizeLinear": ("Identity", (0,)),
    "QGemm": ("Gemm", (0, 3)),
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
}

PASSING = frozenset({"DequantizeLinear", "QuantizeLinear", "Cast", "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze"})


def operation_of(node: "onnx.NodeProto") -> Operation[str]:
    """A node of the graph as an operation; an empty name stands for an input or output that is absent."""
    return Operation(node.op_type, tuple(name or None for name in node.input), tuple(filter(None, node.output)))


def is_data(operator: str, position: int) -> bool:
    """Whether the input at `position` of `operator` is data."""
    if operator == "QLinearConcat":
        return position % 3 == 2
    return position not in NOT_DATA.get(operator, ())
