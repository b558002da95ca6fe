"""What this machine is, in one line: a latency without it means nothing."""

import functools
import os
import platform
import subprocess
from pathlib import Path

INT8_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8")  # with one of these, int8 convolutions are several times faster
RUNTIMES = {"ai-edge-litert": "LiteRT", "onnxruntime": "ONNX Runtime"}


@functools.cache
def device() -> str:
    """Such as "AMD EPYC, 2 cores, avx_vnni, Linux 6.8 x86_64, LiteRT 2.3.0, ONNX Runtime 1.31.1"."""
    model, flags = _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    release = ".".join(platform.release().split("-")[0].split(".")[:2])
    parts = [model, f"{cores} core{'s' if cores > 1 else ''}", *flags, f"{platform.system()} {release} {platform.machine()}"]
    return ", ".join([*parts, *_versions()])


def _processor() -> tuple[str, list[str]]:
    """(model name, the flags among INT8_FLAGS)."""
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        return answer or platform.machine(), []
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
    have = set(fields.get("flags", "").split())
    # ARM has no "model name" line; a board names itself in the device tree.
    name = fields.get("model name") or fields.get("Model") or platform.processor() or platform.machine()
    return " ".join(name.split()), [flag for flag in INT8_FLAGS if flag in have]


def _versions() -> list[str]:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package, name in RUNTIMES.items():
        try:
            found.append(f"{name} {version(package)}")
        except PackageNotFoundError:
            continue
    return found
