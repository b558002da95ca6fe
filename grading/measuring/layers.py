"""How the layers of a slot's model must be: which networks are an answer to what the lab asks for.

Sizes, zeros and multiply-accumulates say that a file is small, not how it became so. A rubric says of a slot in its table
`layers` by which of RULES its model is made; what does not keep to it earns nothing in that slot.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from grading.types import Layers

SAME, FEWER_CHANNELS, COPIES, CONVOLUTIONAL, SEPARABLE = "same", "fewer_channels", "copies", "convolutional", "separable"
# Filters that were pruned from the start network and trained on: 0.8 and more, after another training of it, too, as long as that
# began with the same weights. Filters of another network: 0.1 to 0.3.
KIN = 0.5
LARGEST = 25  # positions of a filter, 5×5: one of 8×8 could hold a whole image
# Operators that compute nothing which a network would have to learn: what the exporters write around its layers.
_NAMES = (
    "ADD ABS AVERAGE_POOL_2D CAST CONCATENATION CONV_2D DENSIFY DEPTHWISE_CONV_2D DEQUANTIZE EXPAND_DIMS FULLY_CONNECTED "
    "HARD_SWISH LEAKY_RELU LOGISTIC MAX_POOL_2D MEAN MUL PACK PAD PRELU QUANTIZE RELU RELU6 RELU_N1_TO_1 RESHAPE SHAPE SQUEEZE "
    "STRIDED_SLICE SUB SUM TRANSPOSE "
    "Add AveragePool BatchNormalization Cast Clip Concat Conv ConvInteger DequantizeLinear DynamicQuantizeLinear "
    "DynamicQuantizeMatMul Flatten FusedConv FusedGemm Gather Gemm GlobalAveragePool HardSigmoid Identity LeakyRelu MatMul "
    "MatMulInteger MatMulIntegerToFloat MaxPool Mul QGemm QLinearAdd QLinearAveragePool QLinearConv QLinearGlobalAveragePool "
    "QLinearMatMul QLinearMul QuantizeLinear ReduceMean ReduceSum Relu Reshape Shape Sigmoid Slice Squeeze Sub Transpose "
    "Unsqueeze"
)
AROUND = frozenset(_NAMES.split())


class Rule(Protocol):
    """What is wrong with the layers of a model, in a sentence without its first words; "" when it keeps to the rule."""

    def __call__(self, found: Layers, start: Layers, /) -> str: ...


def unfit(rule: str, found: Layers | None, start: Layers | None) -> str:
    """Why a model earns nothing in a slot with this rule: a sentence; "" when it does."""
    if not rule:
        return ""
    if found is None or found.problem:
        return f"its layers cannot be read ({found.problem.rstrip('.') if found else 'nothing was told of them'})"
    if found.computed:
        return f"{found.computed} of its kernels are computed when it runs, expected weights that are stored in the file"
    return RULES[rule](found, start or Layers())


def _same(found: Layers, start: Layers) -> str:
    if found.kernels == start.kernels:
        return _added(found, start)
    return (
        f"its kernels are {_shown(found.kernels)}, those of the start network {_shown(start.kernels)}; expected the same ones. "
        "Export the network that the lab starts with, after you have compressed it"
    )


def _fewer_channels(found: Layers, start: Layers) -> str:
    pairs = list(zip(found.kernels, start.kernels, strict=False))
    fits = len(found.kernels) == len(start.kernels) and all(
        mine[1] == whole[1] and mine[0] <= whole[0] and mine[2] <= whole[2] for mine, whole in pairs
    )
    if not fits:
        return (
            f"its kernels are {_shown(found.kernels)}, those of the start network {_shown(start.kernels)}; expected the same "
            "layers with as many channels or fewer. Remove channels from the network that the lab starts with"
        )
    if found.kinship is None or found.kinship < KIN:
        alike = "cannot be compared with" if found.kinship is None else f"are to {found.kinship:.2f} alike to"
        return (
            f"its filters {alike} those of the start network (1 is equal, unrelated networks have about 0.2), expected "
            f"{KIN:g} or more. Remove channels from the network that the lab starts with, built with the same seed, and "
            "fine-tune what is left"
        )
    return _added(found, start)


def _copies(found: Layers, start: Layers) -> str:
    wanted, got = _counts(start.kernels), _counts(found.kernels)
    copies = {got.get(kernel, 0) / count for kernel, count in wanted.items()}
    if set(got) != set(wanted) or len(copies) != 1 or (many := copies.pop()) != int(many) or not 2 <= many <= 10:
        return (
            f"its kernels are {_shown(found.kernels)}; expected two to ten networks with the kernels of the start network, "
            f"{_shown(start.kernels)}, in one file. Join networks that were trained as the lab's first one was"
        )
    return ""


def _convolutional(found: Layers, _: Layers) -> str:
    largest = max((positions for _, positions, _ in found.kernels), default=0)
    if not 1 < largest <= LARGEST:
        return f"its kernels are {_shown(found.kernels)}; expected a convolutional network, with filters of at most 5×5"
    return _added(found, Layers())


def _separable(found: Layers, _: Layers) -> str:
    full = [kernel for kernel in found.kernels[1:] if kernel[1] > 1 and kernel[2] > 1]
    if full or not _depthwise(found):
        return (
            f"its kernels are {_shown(found.kernels)}; expected no convolution of more than 1×1 behind the first layer but "
            "depthwise ones. Put a depthwise and a 1×1 convolution in the place of each"
        )
    return _convolutional(found, found)


def _depthwise(found: Layers) -> bool:
    return any(positions > 1 and channels == 1 for _, positions, channels in found.kernels[1:])


def _added(found: Layers, start: Layers) -> str:
    more = sorted(set(found.operators) - set(start.operators) - AROUND)
    if not more:
        return ""
    return f"it has the operators {', '.join(more)[:200]}, which are no part of such a network. Export it up to its logits only"


def _counts(kernels: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int, int], int]:
    return {kernel: kernels.count(kernel) for kernel in kernels}


def _shown(kernels: Sequence[tuple[int, int, int]]) -> str:
    """ "16 of 3×3×1, 32 of 3×3×16, …"."""
    some = ", ".join(f"{filters} of {_side(positions)}×{channels}" for filters, positions, channels in kernels[:8])
    return (some + ", …" if len(kernels) > 8 else some) or "none"


def _side(positions: int) -> str:
    root = round(positions**0.5)
    return f"{root}×{root}" if root * root == positions else str(positions)


RULES: Mapping[str, Rule] = {
    SAME: _same,
    FEWER_CHANNELS: _fewer_channels,
    COPIES: _copies,
    CONVOLUTIONAL: _convolutional,
    SEPARABLE: _separable,
}
OF_THE_START = (SAME, FEWER_CHANNELS, COPIES)  # the rules that compare with the baseline
