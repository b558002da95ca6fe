"""Devices that can be estimated, from what their makers publish. Peaks are dense and theoretical: nothing reaches them.

No maker publishes what starting an operator costs, so that `overhead` is 0 here and small models come out too fast.
"""

from projectkit.devices.roofline import Roofline
from projectkit.devices.types import Estimated

_ORIN_BRIEF = "NVIDIA, Jetson AGX Orin Series Technical Brief v1.2 (2022)"
_NANO_SHEET = "NVIDIA, Jetson Orin Nano Series data sheet: module of 8 GB, 15 W"
_DLA_TABLE = "NVIDIA, Deep-Learning-Accelerator-SW, README: distribution of TOPS at MAXN"
_A72 = "Arm, Cortex-A72 Software Optimization Guide"
_A76 = "Arm, Cortex-A76 Software Optimization Guide"
_PI4 = "Raspberry Pi 4 Model B product brief"
_PI5 = "Raspberry Pi 5 product brief"
_CORAL = "Google, Coral USB Accelerator data sheet"
_H743 = "STMicroelectronics, STM32H743 data sheet (DS12110)"
_M7 = "Arm, Cortex-M7 Processor Technical Reference Manual"

# NVIDIA, TensorRT documentation, "DLA Supported Layers and Restrictions"; one word a format.
_DLA_RUNS = frozenset(
    [
        *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"),
        *("RELU", "RELU6", "LOGISTIC", "TANH", "LEAKY_RELU", "MAX_POOL_2D", "AVERAGE_POOL_2D", "CONCATENATION"),
        *("Conv", "ConvTranspose", "Gemm", "Add", "Sub", "Mul", "Max", "Min", "BatchNormalization", "Concat", "LRN"),
        *("Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool"),
        *("QLinearConv", "QGemm", "QLinearAdd", "QLinearMul"),
    ]
)
# Google, Coral, "TensorFlow models on the Edge TPU", table of supported operations. It takes .tflite files only.
_EDGE_TPU_RUNS = frozenset(
    [
        *("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS", "FULLY_CONNECTED"),
        *("L2_NORMALIZATION", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PACK", "PAD", "PRELU", "QUANTIZE"),
        *("REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR"),
        *("RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQUEEZE"),
        *("STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"),
    ]
)

ORIN_AGX = Estimated(
    Roofline("jetson-orin-agx", 204.8e9, {"float32": 2.65e12, "float16": 21.3e12, "int8": 42.75e12}),
    memory=64 * 10**9,
    sources={
        "bandwidth": f"{_ORIN_BRIEF}: 204.8 GB/s, shared with the processor and the DLAs",
        "float32": f"{_ORIN_BRIEF}: 5.3 TFLOPS of the 2048 CUDA cores; a multiply-accumulate is two operations",
        "float16": "half of int8: the tensor cores' rate halves with each doubling of the width",
        "int8": f"{_DLA_TABLE}: 171 TOPS sparse; dense is half of that, and two operations a MAC",
        "memory": f"{_ORIN_BRIEF}: module of 64 GB",
    },
)
ORIN_NANO = Estimated(
    Roofline("jetson-orin-nano", 68e9, {"float32": 0.64e12, "float16": 5e12, "int8": 10e12}),
    memory=8 * 10**9,
    sources={
        "bandwidth": f"{_NANO_SHEET}: 68 GB/s",
        "float32": f"{_NANO_SHEET}: 1024 CUDA cores at 625 MHz, one multiply-accumulate a cycle each",
        "float16": "half of int8, as above",
        "int8": f"{_NANO_SHEET}: 40 TOPS sparse; dense is half of that, and two operations a MAC",
        "memory": f"{_NANO_SHEET}: 8 GB. The module has no DLA",
    },
)
ORIN_AGX_DLA = Estimated(
    Roofline("jetson-orin-agx-dla", 204.8e9, {"float16": 1.64e12, "int8": 13.1e12}),
    memory=64 * 10**9,
    operators=_DLA_RUNS,
    fallback=ORIN_AGX,
    link=204.8e9,
    sources={
        "bandwidth": f"{_ORIN_BRIEF}: 204.8 GB/s, shared with the GPU; one DLA alone may reach less",
        "float16": "an eighth of int8; NVIDIA says that Orin's DLA favours int8 at the cost of float16, and no number: assumed",
        "int8": f"{_DLA_TABLE}: two DLAs 105 TOPS sparse; one has half of that, dense is half, two operations a MAC",
        "operators": "NVIDIA, TensorRT documentation: DLA layer restrictions; sizes and strides are not looked at",
        "memory": f"{_ORIN_BRIEF}: module of 64 GB, shared",
        "link": "the DRAM that GPU and DLA share: an activation is written and read once more",
    },
)
RASPBERRY_PI_4 = Estimated(
    Roofline("raspberry-pi-4", 12.8e9, {"float32": 6e9, "int8": 12e9}),
    memory=4 * 10**9,
    cores=4,
    sources={
        "bandwidth": "LPDDR4-3200 on 32 bits: 3.2e9 · 4 bytes/s; all cores share it",
        "float32": f"{_A72}: one 128-bit FMLA a cycle; {_PI4}: 1.5 GHz",
        "int8": f"{_A72}: one 128-bit SMLAL a cycle, 8 products; no dot-product instruction; {_PI4}: 1.5 GHz",
        "memory": f"{_PI4}: model of 4 GB",
    },
)
RASPBERRY_PI_5 = Estimated(
    Roofline("raspberry-pi-5", 17.1e9, {"float32": 19.2e9, "float16": 38.4e9, "int8": 76.8e9}),
    memory=8 * 10**9,
    cores=4,
    sources={
        "bandwidth": "LPDDR4X-4267 on 32 bits: 4.267e9 · 4 bytes/s; all cores share it",
        "float32": f"{_A76}: two 128-bit FMLA a cycle; {_PI5}: 2.4 GHz",
        "float16": f"{_A76}: two 128-bit FMLA of halves a cycle",
        "int8": f"{_A76}: two 128-bit SDOT a cycle, 16 products each",
        "memory": f"{_PI5}: model of 8 GB",
    },
)
CORAL = Estimated(
    Roofline("coral-edge-tpu", 30.7e9, {"int8": 2e12}),
    memory=8 * 2**20,
    operators=_EDGE_TPU_RUNS,
    fallback=RASPBERRY_PI_4,
    link=320e6,
    crossing=1e-4,
    sources={
        "bandwidth": "not published; assumed: one row of a 64 × 64 array of bytes a cycle at 480 MHz",
        "int8": f"{_CORAL}: 4 TOPS, two operations a MAC",
        "memory": f"{_CORAL}: 8 MB on the chip; what does not fit is read through USB at every inference, which is not counted",
        "operators": "Google, Coral, TensorFlow models on the Edge TPU: supported operations",
        "link": f"{_CORAL}: USB 3.0 at 5 Gbit/s, of which about 320 MB/s arrive",
        "crossing": "not published; assumed: one USB transfer that waits for an interrupt at each end",
    },
)
CORTEX_M7 = Estimated(
    Roofline("cortex-m7", 1.92e9, {"float32": 0.48e9, "int8": 0.96e9}),
    memory=512 * 1024,
    storage=2 * 2**20,
    sources={
        "bandwidth": f"{_H743}: AXI of 64 bits at 240 MHz",
        "float32": f"{_M7}: one VMLA a cycle; {_H743}: 480 MHz",
        "int8": f"{_M7}: one SMLAD a cycle, two products of 16 bits; widening the bytes is not counted",
        "memory": f"{_H743}: 512 KB of AXI SRAM in one piece",
        "storage": f"{_H743}: 2 MB of flash; that reading it is slower is not counted",
    },
)

KNOWN = {device.name: device for device in (ORIN_AGX, ORIN_AGX_DLA, ORIN_NANO, RASPBERRY_PI_5, RASPBERRY_PI_4, CORAL, CORTEX_M7)}
