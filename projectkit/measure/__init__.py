"""Measures model files: quality, size, work, time, memory and energy, each with its interval or the reason why not.

A meter is `(artifact, x, *, threads, budget) -> tuple[Measurement, ...]`, or raises NotHere(reason). It takes the file and
not an opened session, because memory can only be seen by a process that has not opened the file yet.
"""

from projectkit.measure.arena import arena, read_arena
from projectkit.measure.compression import compressed_size
from projectkit.measure.constants import Constant, alike, live_constants
from projectkit.measure.counting import read_graph
from projectkit.measure.energy_meter import compare_energy, energy
from projectkit.measure.energy_readers import readers
from projectkit.measure.formatting import format_interval, format_value
from projectkit.measure.fusions import fusions
from projectkit.measure.graph import Graph, Layer
from projectkit.measure.html_page import page
from projectkit.measure.intervals import student_interval
from projectkit.measure.lifetimes import Buffer, Lifetimes, live_bytes, plan, read_lifetimes
from projectkit.measure.machine import device
from projectkit.measure.memory import peak_memory
from projectkit.measure.operator_times import OperatorTime, Timed, operator_times
from projectkit.measure.operators import Operator, read_operators
from projectkit.measure.paired import Paired, compare_answers, holm, mcnemar, paired
from projectkit.measure.pareto import pareto
from projectkit.measure.patterns import Patterns, read_patterns
from projectkit.measure.planning import images_needed, repeats_needed
from projectkit.measure.profiling import METERS, READERS, compare, metrics_of, profile
from projectkit.measure.quality import accuracy, correlations, fidelity, wrong_classes
from projectkit.measure.quantiles import least_samples, quantile, quantile_interval
from projectkit.measure.randomness import random_operators
from projectkit.measure.shapes_of_runs import check_shapes
from projectkit.measure.structure import KernelShape, Structure, kinship, read_structure
from projectkit.measure.symmetric import Symmetric, read_symmetric
from projectkit.measure.terminal_table import table
from projectkit.measure.timing import (
    Opening,
    compare_latency,
    interleave,
    latency,
    latency_from,
    over_openings,
    ratio_from,
    time_openings,
)

__all__ = [
    "METERS",
    "READERS",
    "Buffer",
    "Constant",
    "Graph",
    "KernelShape",
    "Layer",
    "Lifetimes",
    "Opening",
    "Operator",
    "OperatorTime",
    "Paired",
    "Patterns",
    "Structure",
    "Symmetric",
    "Timed",
    "accuracy",
    "alike",
    "arena",
    "check_shapes",
    "compare",
    "compare_answers",
    "compare_energy",
    "compare_latency",
    "compressed_size",
    "correlations",
    "device",
    "energy",
    "fidelity",
    "format_interval",
    "format_value",
    "fusions",
    "holm",
    "images_needed",
    "interleave",
    "kinship",
    "latency",
    "latency_from",
    "least_samples",
    "live_bytes",
    "live_constants",
    "mcnemar",
    "metrics_of",
    "operator_times",
    "over_openings",
    "page",
    "paired",
    "pareto",
    "peak_memory",
    "plan",
    "profile",
    "quantile",
    "quantile_interval",
    "random_operators",
    "ratio_from",
    "read_arena",
    "read_graph",
    "read_lifetimes",
    "read_operators",
    "read_patterns",
    "read_structure",
    "read_symmetric",
    "readers",
    "repeats_needed",
    "student_interval",
    "table",
    "time_openings",
    "wrong_classes",
]
