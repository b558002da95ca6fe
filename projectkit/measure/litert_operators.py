"""What LiteRT's operators mean, as tables. Sources: the descriptions in TensorFlow's lite/tflite_ops.td and its kernels.

An operator that stands in none of these tables is not known, and what it multiplies is not 0 but a reason.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from projectkit.measure.layer_weights import Unpacking

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

AXIS_AT_1 = ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL", "ARG_MAX", "ARG_MIN", "CUMSUM")
SHAPE_AT_1 = ("RESHAPE", "TRANSPOSE", "PAD", "MIRROR_PAD", "TILE", "EXPAND_DIMS", "BROADCAST_TO", "REVERSE_V2")
# Inputs that say how to arrange or select, by operator; every other input is data.
NOT_DATA = {
    **dict.fromkeys(AXIS_AT_1 + SHAPE_AT_1, (1,)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "GATHER", "GATHER_ND", "TOPK_V2"), (1,)),
    **dict.fromkeys(("SHAPE", "RANK", "SPLIT", "FILL", "TRANSPOSE_CONV"), (0,)),
    **dict.fromkeys(("PADV2", "SLICE", "SPLIT_V", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), (1, 2)),
    **{"STRIDED_SLICE": (1, 2, 3), "ONE_HOT": (1, 2, 3), "RANGE": (0, 1, 2), "EMBEDDING_LOOKUP": (0,)},
}
# Both factors of the operators that multiply and accumulate.
OPERANDS = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"), (0, 1)),
    "TRANSPOSE_CONV": (2, 1),
}
UNPACKING = Unpacking(frozenset({"DEQUANTIZE", "DENSIFY", "QUANTIZE", "CAST"}), frozenset())
PASSING = frozenset({"DEQUANTIZE", "DENSIFY", "QUANTIZE", "CAST", "RESHAPE", "TRANSPOSE"})

# They arrange, select, compare with a fixed number, or apply a function to each element alone: nothing is multiplied by a weight.
PLAIN = frozenset(
    [
        "ABS",
        "ARG_MAX",
        "ARG_MIN",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_ARGS",
        "BROADCAST_TO",
        "CAST",
        "CEIL",
        "CONCATENATION",
        "COS",
        "DENSIFY",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "ELU",
        "EXP",
        "EXPAND_DIMS",
        "FAKE_QUANT",
        "FILL",
        "FLOOR",
        "GELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOG",
        "LOGICAL_NOT",
        "LOGISTIC",
        "LOG_SOFTMAX",
        "MAX_POOL_2D",
        "MIRROR_PAD",
        "NEG",
        "ONE_HOT",
        "PACK",
        "PAD",
        "PADV2",
        "QUANTIZE",
        "RANGE",
        "RANK",
        "REDUCE_ALL",
        "REDUCE_ANY",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RELU_0_TO_1",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "ROUND",
        "RSQRT",
        "SHAPE",
        "SIGN",
        "SIN",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQRT",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TANH",
        "TILE",
        "TOPK_V2",
        "TRANSPOSE",
        "UNPACK",
        "ZEROS_LIKE",
    ]
)
# One operation for each element that they write: they bring two tensors together, or square one.
PAIRING = frozenset(
    [
        "ADD",
        "ATAN2",
        "BITWISE_XOR",
        "DIV",
        "EQUAL",
        "FLOOR_DIV",
        "FLOOR_MOD",
        "GREATER",
        "GREATER_EQUAL",
        "LESS",
        "LESS_EQUAL",
        "LOGICAL_AND",
        "LOGICAL_OR",
        "MAXIMUM",
        "MINIMUM",
        "MUL",
        "NOT_EQUAL",
        "POW",
        "PRELU",
        "RIGHT_SHIFT",
        "SELECT",
        "SELECT_V2",
        "SQUARE",
        "SQUARED_DIFFERENCE",
        "SUB",
    ]
)
# One for each element that they read, times a number for those that read an element several times.
SUMMING = {**dict.fromkeys(("ADD_N", "CUMSUM", "MEAN", "REDUCE_PROD", "SUM"), 1), "L2_NORMALIZATION": 2}
POOLING = frozenset({"AVERAGE_POOL_2D", "L2_POOL_2D"})  # one for each element of the window
# They take the elements that their second (or first) input says: as long as that is stored, they only arrange.
LOOKUPS = {"GATHER": 1, "GATHER_ND": 1, "EMBEDDING_LOOKUP": 0}
# They put tensors, or copies of one, beside each other.
JOINING = frozenset({"BROADCAST_TO", "CONCATENATION", "GATHER", "GATHER_ND", "PACK", "TILE"})
BLENDED = 4  # the elements that RESIZE_BILINEAR weighs for each that it writes
MORE = frozenset({"RESIZE_BILINEAR", "LOCAL_RESPONSE_NORMALIZATION"})

KNOWN = PLAIN | PAIRING | SUMMING.keys() | POOLING | LOOKUPS.keys() | MORE | OPERANDS.keys()

# Behind them lie constants or operators that the main graph does not show, or something that outlives a call.
HIDING = frozenset(
    [
        "ASSIGN_VARIABLE",
        "CALL",
        "CALL_ONCE",
        "CUSTOM",
        "DELEGATE",
        "HASHTABLE",
        "HASHTABLE_FIND",
        "HASHTABLE_IMPORT",
        "HASHTABLE_LOOKUP",
        "HASHTABLE_SIZE",
        "IF",
        "READ_VARIABLE",
        "STABLEHLO_CASE",
        "STABLEHLO_COMPOSITE",
        "STABLEHLO_CUSTOM_CALL",
        "STABLEHLO_REDUCE",
        "STABLEHLO_REDUCE_WINDOW",
        "STABLEHLO_SCATTER",
        "STABLEHLO_SORT",
        "STABLEHLO_WHILE",
        "VAR_HANDLE",
        "WHILE",
    ]
)
RANDOM = frozenset({"BERNOULLI", "MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "STABLEHLO_RNG_BIT_GENERATOR"})


def operands(name: str) -> tuple[int, ...]:
    """The positions of the two tensors that the operator multiplies; () for one that is no convolution or matrix product."""
    return OPERANDS.get(name, ())


def is_data(name: str, position: int) -> bool:
    """Whether the input at `position` of the operator is data."""
    return position not in NOT_DATA.get(name, ())


def operations_of(name: str, options: "schema.Operator", read: int, written: int) -> int:
    """How many element-wise operations an operator takes that reads and writes so many elements of data."""
    if name in PAIRING:
        return written
    if name in SUMMING:
        return read * SUMMING[name]
    return written * WINDOWS[name](options) if name in WINDOWS else 0


def _pool(options: "schema.Operator") -> int:
    from ai_edge_litert import schema_py_generated as schema

    table, fields = options.BuiltinOptions(), schema.Pool2DOptions()
    fields.Init(table.Bytes, table.Pos)
    return int(fields.FilterHeight() * fields.FilterWidth())


def _neighbours(options: "schema.Operator") -> int:
    from ai_edge_litert import schema_py_generated as schema

    table, fields = options.BuiltinOptions(), schema.LocalResponseNormalizationOptions()
    fields.Init(table.Bytes, table.Pos)
    return int(2 * fields.Radius() + 1)


# Elements that are weighed for each element that is written.
WINDOWS: Mapping[str, Callable[["schema.Operator"], int]] = {
    **dict.fromkeys(POOLING, _pool),
    "LOCAL_RESPONSE_NORMALIZATION": _neighbours,
    "RESIZE_BILINEAR": lambda options: BLENDED,
}
