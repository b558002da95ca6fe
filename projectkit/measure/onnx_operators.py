"""What the inputs of ONNX operators mean, as tables. Sources: onnx/docs/Operators.md, onnxruntime/docs/ContribOperators.md."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, Union

from projectkit.measure.dataflow import Operation
from projectkit.measure.layer_weights import Unpacking

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

UNPACKING = Unpacking(
    frozenset({"DequantizeLinear", "QuantizeLinear", "Cast", "Identity"}),
    frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze"}),
)
PASSING = UNPACKING.formats | UNPACKING.arrangements

# ONNX Runtime's own operators that are known here. Those of any other domain, and a model's own functions, are not.
CONTRIBUTED = frozenset(
    [
        "BiasGelu",
        "DequantizeLinear",
        "DynamicQuantizeMatMul",
        "FastGelu",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "Gelu",
        "MatMulIntegerToFloat",
        "QGemm",
        "QLinearAdd",
        "QLinearAveragePool",
        "QLinearConcat",
        "QLinearGlobalAveragePool",
        "QLinearLeakyRelu",
        "QLinearMul",
        "QLinearSigmoid",
        "QLinearSoftmax",
        "QuantizeLinear",
        "QuickGelu",
    ]
)
# They arrange, select, compare with a fixed number, or apply a function to each element alone: nothing is multiplied by a weight.
PLAIN = frozenset(
    [
        "Abs",
        "Acos",
        "Acosh",
        "ArgMax",
        "ArgMin",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Cast",
        "CastLike",
        "Ceil",
        "Celu",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Cos",
        "Cosh",
        "DepthToSpace",
        "DequantizeLinear",
        "Dropout",
        "DynamicQuantizeLinear",
        "Elu",
        "Erf",
        "Exp",
        "Expand",
        "FastGelu",
        "Flatten",
        "Floor",
        "Gelu",
        "GlobalMaxPool",
        "HardSigmoid",
        "HardSwish",
        "Hardmax",
        "Identity",
        "IsInf",
        "IsNaN",
        "LeakyRelu",
        "Log",
        "LogSoftmax",
        "MaxPool",
        "Mish",
        "Neg",
        "Not",
        "OneHot",
        "Pad",
        "QLinearConcat",
        "QLinearLeakyRelu",
        "QLinearSigmoid",
        "QLinearSoftmax",
        "QuantizeLinear",
        "QuickGelu",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceMin",
        "Relu",
        "Reshape",
        "ReverseSequence",
        "Round",
        "Selu",
        "Shape",
        "Shrink",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Size",
        "Slice",
        "Softmax",
        "Softplus",
        "Softsign",
        "SpaceToDepth",
        "Split",
        "Sqrt",
        "Squeeze",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "Tile",
        "TopK",
        "Transpose",
        "Trilu",
        "Unsqueeze",
    ]
)
# One operation for each element that they write: they bring tensors together.
PAIRING = frozenset(
    [
        "Add",
        "And",
        "BiasGelu",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
        "Div",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Max",
        "Mean",
        "Min",
        "Mod",
        "Mul",
        "Or",
        "PRelu",
        "Pow",
        "QLinearAdd",
        "QLinearMul",
        "Sub",
        "Sum",
        "Where",
        "Xor",
    ]
)
NORMALIZING = frozenset(  # a scale and an offset, twice where they are found on the way
    ["BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization"]
)
# One for each element that they read, times a number for those that square it too.
SUMMING = {
    **dict.fromkeys(["CumSum", "GlobalAveragePool", "QLinearGlobalAveragePool", "QLinearReduceMean"], 1),
    **dict.fromkeys((f"Reduce{name}" for name in ["L1", "LogSum", "LogSumExp", "Mean", "Prod", "Sum"]), 1),
    **dict.fromkeys(("ReduceL2", "ReduceSumSquare", "GlobalLpPool"), 2),
}
POOLING = frozenset({"AveragePool", "QLinearAveragePool", "LpPool"})  # one for each element of the window
# They put tensors, or copies of one, beside each other.
JOINING = frozenset({"Concat", "Expand", "Gather", "GatherElements", "GatherND", "QLinearConcat", "Tile"})
RESIZING = frozenset({"Resize", "Upsample"})
BLENDED = {"nearest": 0, "linear": 4, "cubic": 16}  # elements that are weighed for each that is written
# They take the elements that an input says: as long as that is stored, they only arrange.
LOOKUPS = {"Gather": 1, "GatherElements": 1, "GatherND": 1}

KNOWN = PLAIN | PAIRING | NORMALIZING | SUMMING.keys() | POOLING | RESIZING | {"LRN"} | LOOKUPS.keys() | PRODUCTS.keys()

# Their inputs that NOT_DATA names are scales and zero points.
QUANTIZING = frozenset(
    [
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QGemm",
        "QLinearAdd",
        "QLinearAveragePool",
        "QLinearConcat",
        "QLinearConv",
        "QLinearGlobalAveragePool",
        "QLinearLeakyRelu",
        "QLinearMatMul",
        "QLinearMul",
        "QLinearSigmoid",
        "QLinearSoftmax",
        "QuantizeLinear",
    ]
)
# (operator, position of a kernel) → the position of its scales, where the operator itself takes them.
SCALES = {("QLinearConv", 3): 4, ("QLinearMatMul", 3): 4, ("QGemm", 3): 4, ("MatMulIntegerToFloat", 1): 3}

# What they write differs from call to call; Dropout as well, when it is told that it is training.
RANDOM = frozenset(
    [
        "Bernoulli",
        "BiasDropout",
        "BitmaskBiasDropout",
        "BitmaskDropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Sampling",
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
    "BiasGelu": ("Identity", (0,)),
    "FastGelu": ("Identity", (0,)),
    "Gelu": ("Identity", (0,)),
    "QuickGelu": ("Identity", (0,)),
    "QuantizeLinear": ("Identity", (0,)),
    "DequantizeLinear": ("Identity", (0,)),
    "QGemm": ("Gemm", (0, 3)),
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
}


def operation_of(node: "onnx.NodeProto") -> Operation[str]:
    """A node of the graph as an operation; an empty name stands for an input or output that is absent."""
    return Operation(name_of(node), tuple(name or None for name in node.input), tuple(filter(None, node.output)))


def name_of(node: "onnx.NodeProto") -> str:
    """The operator's name; with its domain before it where that is neither ONNX's own nor one of CONTRIBUTED."""
    if node.domain in ("", "ai.onnx") or (node.domain == "com.microsoft" and node.op_type in CONTRIBUTED):
        return node.op_type
    return f"{node.domain}.{node.op_type}"


def operands(name: str) -> tuple[int, ...]:
    """The positions of the two tensors that the operator multiplies; () for one that is no convolution or matrix product."""
    return PRODUCTS[name][1:] if name in PRODUCTS else ()


def is_data(operator: str, position: int) -> bool:
    """Whether the input at `position` of `operator` is data."""
    if operator == "QLinearConcat":
        return position % 3 == 2
    return position not in NOT_DATA.get(operator, ())


def operations_of(node: "onnx.NodeProto", name: str, read: int, written: int) -> int:
    """How many element-wise operations an operator takes that reads and writes so many elements of data."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if name in PAIRING:
        return written * max(1, len(node.input) - 1 if name in ("Max", "Mean", "Min", "Sum") else 1)
    if name in NORMALIZING:
        return written * (2 if name == "BatchNormalization" else 4)
    if name in SUMMING:
        return read * SUMMING[name]
    if name in POOLING:
        return written * math.prod(attributes["kernel_shape"].ints)
    if name == "LRN":
        return written * attributes["size"].i
    if name in RESIZING:
        return written * BLENDED[attributes["mode"].s.decode() if "mode" in attributes else "nearest"]
    return 0
