"""Which names of TensorRT's and CUDA's Python packages our code uses, and in which of their wheels they are.

    python tests/runtimes/tensorrt_names.py WHEEL…      writes tensorrt_names.json beside this file

The wheels (tensorrt-cu12-bindings 10.16.1.11, tensorrt-cu13-bindings 11.4.0.106, cuda-bindings 13.5.0) can be downloaded
anywhere with `pip download --no-deps`, but be imported only beside libraries of several gigabytes. Every name that they define
stands in a compiled module as a string that ends with a zero byte; where one string is the end of another, the linker stores
only the longer one. So a name counts as present when it ends a string, or when a Python or Cython file of the wheel defines it.
"""

import ast
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from projectkit.runtimes import tensorrt

SOURCES = Path(tensorrt.__file__).parent
FILES = {"builder.py": "tensorrt", "session.py": "tensorrt", "weak.py": "tensorrt", "cuda.py": "cuda"}  # who calls which package
FOUND = Path(__file__).with_suffix(".json")
# What our code calls the objects of the packages; the attributes that are taken of these are the names.
OBJECTS = {"trt", "logger", "builder", "network", "parser", "config", "profile", "tensor", "layer", "inspector", "runtime"}
MEMBERS = {"_trt", "_runtime", "_engine", "_context", "_cuda"}
OWN = {"__init__", "__version__"}


def names_of(file: str) -> set[str]:
    """The names that one of FILES uses: attributes of the packages' objects, and methods of classes derived from theirs."""
    tree = ast.parse((SOURCES / file).read_text("utf-8"))
    return {name for node in ast.walk(tree) for name in _names(node)} - OWN


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef) and any(_is_theirs(base) for base in node.bases):
        yield from (inside.name for inside in node.body if isinstance(inside, ast.FunctionDef))
    if isinstance(node, ast.Attribute) and _is_theirs(node.value):
        yield node.attr


def _is_theirs(node: ast.AST) -> bool:
    """Whether an expression is an object of a package: one of ours by name, or what it answers."""
    if isinstance(node, ast.Name):
        return node.id in OBJECTS
    if isinstance(node, ast.Attribute):
        return node.attr in MEMBERS or _is_theirs(node.value)
    return isinstance(node, ast.Call) and _is_theirs(node.func)


def present(name: str, wheel: zipfile.ZipFile) -> bool:
    """Whether `name` ends a string of a compiled module in `wheel`, or is defined in one of its Python files."""
    for member in wheel.namelist():
        if member.endswith((".so", ".pyd")) and name.encode() + b"\0" in wheel.read(member):
            return True
        words = {".py": rf"^(def|class) {name}\b", ".pxd": rf"\b{name}\b"}.get(Path(member).suffix)
        if words and re.search(words, wheel.read(member).decode(), re.MULTILINE):
            return True
    return False


def main() -> None:
    table = {}
    for path in map(Path, sys.argv[1:]):
        package, version = path.name.split("-")[:2]
        with zipfile.ZipFile(path) as wheel:
            names = set().union(*(names_of(file) for file, of in FILES.items() if package.startswith(of)))
            table[f"{package} {version}"] = {name: present(name, wheel) for name in sorted(names)}
    FOUND.write_text(json.dumps(table, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
