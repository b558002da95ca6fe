"""Measures model files: quality, size, work, time, memory and energy, each with its interval or the reason why not.

A meter is `(artifact, x, *, threads, budget) -> tuple[Measurement, ...]`, or raises NotHere(reason). It takes the file and
not an opened session, because memory can only be seen by a process that has not opened the file yet.
"""

from projectkit.measure.compression import compressed_size
from projectkit.measure.energy_meter import energy
from projectkit.measure.energy_readers import readers
from projectkit.measure.formatting import format_interval, format_value
from projectkit.measure.graph import Graph, Layer, read_graph
from projectkit.measure.html_page import page
from projectkit.measure.litert_shapes import check_shapes
from projectkit.measure.machine import device
from projectkit.measure.memory import peak_memory
from projectkit.measure.pareto import pareto
from projectkit.measure.patterns import Patterns, read_patterns
from projectkit.measure.profiling import METERS, compare, profile
from projectkit.measure.quality import accuracy
from projectkit.measure.quantiles import quantile_interval
from projectkit.measure.terminal_table import table
from projectkit.measure.timing import compare_latency, interleave, latency, latency_from, ratio_from
from projectkit.measure.weights import weights_digest

__all__ = [
    "METERS",
    "Graph",
    "Layer",
    "Patterns",
    "accuracy",
    "check_shapes",
    "compare",
    "compare_latency",
    "compressed_size",
    "device",
    "energy",
    "format_interval",
    "format_value",
    "interleave",
    "latency",
    "latency_from",
    "page",
    "pareto",
    "peak_memory",
    "profile",
    "quantile_interval",
    "ratio_from",
    "read_graph",
    "read_patterns",
    "readers",
    "table",
    "weights_digest",
]
