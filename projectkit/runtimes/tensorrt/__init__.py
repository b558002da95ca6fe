"""TensorRT on both living lines: 10.x, where the builder chooses precisions among those that it is allowed, and 11.x, where the
graph says the precision of everything (strong typing).

Nothing here imports TensorRT before it is needed. Where there is no NVIDIA GPU, everything that would need one raises
NotHere("no NVIDIA GPU"); command lines, parsers, the choice of precisions and the DLA table work everywhere.
"""

from projectkit.runtimes.tensorrt.builder import build_engine, eligible_for_dla
from projectkit.runtimes.tensorrt.dla import SUPPORT, Placement, Support, placements, report, support
from projectkit.runtimes.tensorrt.engine_info import EngineInfo, EngineLayer, parse_layer_info
from projectkit.runtimes.tensorrt.lines import LINES, line_of, line_printed
from projectkit.runtimes.tensorrt.options import Build, Shapes, check
from projectkit.runtimes.tensorrt.precision import Plan, choose, held
from projectkit.runtimes.tensorrt.session import TensorRTSession, open_tensorrt
from projectkit.runtimes.tensorrt.trtexec import Run, benchmark, command
from projectkit.runtimes.tensorrt.trtexec_output import (
    LayerTime,
    Summary,
    Times,
    parse_profile,
    parse_summary,
    parse_times,
)

__all__ = [
    "LINES",
    "SUPPORT",
    "Build",
    "EngineInfo",
    "EngineLayer",
    "LayerTime",
    "Placement",
    "Plan",
    "Run",
    "Shapes",
    "Summary",
    "Support",
    "TensorRTSession",
    "Times",
    "benchmark",
    "build_engine",
    "check",
    "choose",
    "command",
    "eligible_for_dla",
    "held",
    "line_of",
    "line_printed",
    "open_tensorrt",
    "parse_layer_info",
    "parse_profile",
    "parse_summary",
    "parse_times",
    "placements",
    "report",
    "support",
]
