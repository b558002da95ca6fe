"""Builds broken and hostile submissions, and honest ones. Each case says what it spoils and how the sentence reads."""

import hashlib
import io
import json
import pickle
import re
import stat
import struct
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import helper

from grading.exercises import SOLUTIONS
from models_by_hand import (
    custom_onnx,
    external_onnx,
    huge_onnx,
    linear_onnx,
    linear_tflite,
    linear_weights,
    long_onnx,
    onnx_model,
)
from projectkit.submit import exercise_inputs

LAB = "l01_quantization"
EVERYTHING = ("lite", "onnx", "affine")


@dataclass(frozen=True)
class Case:
    """One file. `spoils`: what must earn nothing, of lite, onnx, affine; `says`: a part of the sentence that must be told."""

    name: str
    content: bytes
    spoils: tuple[str, ...] = EVERYTHING
    says: str = ""


def honest_answers(student: str) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{f"affine/{k}": v for k, v in SOLUTIONS[LAB]["affine"](exercise_inputs(student, LAB, "affine")).items()})
    return stream.getvalue()


def manifest(who: str, files: Mapping[str, bytes], **changes) -> dict:
    """A correct manifest for `files`, with `changes` to its fields; a change to None removes the field."""

    def entry(name: str) -> dict:
        return {"file": name, "sha256": hashlib.sha256(files[name]).hexdigest(), "size": len(files[name])}

    formats = {"tflite": "litert", "onnx": "onnx"}
    slots = {
        name.rpartition(".")[0]: entry(name) | {"format": formats[name.rpartition(".")[2]]}
        for name in files
        if name != "answers.npz"
    }
    value = {
        "format": 1,
        "student": who,
        "lab": LAB,
        "scale": "quick",
        "slots": slots,
        "answers": entry("answers.npz") if "answers.npz" in files else None,
        "claims": {},
        "versions": {},
    }
    value |= changes
    return {name: field for name, field in value.items() if field is not ...}


def zipped(members: Mapping[str, bytes] | list[tuple], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(name, content)
    return stream.getvalue()


def submission(
    who: str, *, files: Mapping[str, bytes] = {}, extra: Mapping[str, bytes] = {}, raw: bytes | None = None, **changes
):
    """The zip of an honest submission in which some `files` are replaced; `extra` members are not in the manifest."""
    good = {"lite.tflite": linear_tflite(), "onnx.onnx": linear_onnx(), "answers.npz": honest_answers(who)}
    files = {name: content for name, content in (good | dict(files)).items() if content is not None}
    described = raw if raw is not None else json.dumps(manifest(who, files, **changes)).encode()
    return zipped({"manifest.json": described, **files, **extra})


def honest() -> Iterator[Case]:
    yield Case("honest_1", submission("Honest One"), ())
    yield Case("honest_2", submission("Honest Two"), ())
    yield Case("html_and_formula", submission("=cmd|' calc'!A0 <img src=x onerror=alert(1)>"), ())
    yield Case("claims_everything", submission("Claims", claims={"lite/accuracy": 1.0, "<b>=1+1": 5}), ())


def broken_zips() -> Iterator[Case]:
    good = submission("Zed")
    yield Case("empty", b"", says="empty")
    yield Case("not_a_zip", b"Dear teacher, my dog ate it." * 20, says="not a zip")
    yield Case("truncated", good[: len(good) // 2], says="cut off")
    yield Case("trailing", good + b"more", says="behind its end")
    yield Case("script_before", b"#!/bin/sh\necho mine\n" + good, says="stand before the zip")
    yield Case("script_before_told", _moved(b"#!/bin/sh\necho mine\n", good, 0), says="are of no file")
    yield Case("script_between", _moved(b"#!/bin/sh\necho mine\n", good, 1), says="are of no file")
    yield Case("script_behind", _moved(b"#!/bin/sh\necho mine\n", good, None), says="not where its files end")
    yield Case("overlapping", _overlapping(good), says="overlaps another file")
    yield Case("bomb", zipped({"manifest.json": b" " * 100_000_000}, zipfile.ZIP_DEFLATED), says="zip bomb")
    yield Case("lying_size", _lie(good), says="announced")
    yield Case("many_files", zipped({f"f{i}.onnx": b"" for i in range(5000)}), says="at most")
    for name, member in {
        "parent": "../evil.onnx",
        "deep_parent": "a/../../evil.onnx",
        "absolute": "/tmp/evil.onnx",
        "drive": "C:evil.onnx",
        "backslash": "..\\evil.onnx",
        "directory": "evil/",
        "unknown_file": "run_me.py",
        "nul": "lite.tflite\0.py",
    }.items():
        yield Case(
            f"name_{name}", _renamed(good, member), says="expected" if name not in ("unknown_file", "nul") else "not a file"
        )
    link = zipfile.ZipInfo("lite.tflite")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    yield Case("symlink", zipped([("manifest.json", b"{}"), (link, b"/etc/passwd")]), says="symbolic link")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the duplicate that is wanted here
        yield Case("two_manifests", zipped([("manifest.json", b"{}"), ("manifest.json", b"{}")]), says="twice")
    yield Case("no_manifest", zipped({"lite.tflite": linear_tflite()}), says="manifest.json is missing")
    yield Case("lzma", zipped({"manifest.json": b"{}"}, zipfile.ZIP_LZMA), says="unusual compression")
    yield Case("encrypted", _flagged(good), says="encrypted")


def broken_manifests() -> Iterator[Case]:
    base = manifest("Max", {"lite.tflite": linear_tflite()})
    text = json.dumps(base)
    yield Case("unknown_lab", submission("Una", lab="l99_alchemy"), says="no rubric")
    yield Case("lab_with_path", submission("Una", lab="../../etc"), says="lab is")
    yield Case("other_scale", submission("Una", scale="full"), says="packed at scale full")
    yield Case("claim_nan", submission("Una", claims={"a": float("nan")}), says="NaN")
    yield Case("claim_infinite", submission("Una", claims={"a": float("inf")}), says="Infinity")
    yield Case(
        "claim_huge", submission("Una", raw=text.replace('"claims": {}', '"claims": {"a": 1e999}').encode()), says="finite"
    )
    digits = text.replace('"claims": {}', '"claims": {"a": ' + "9" * 5000 + "}").encode()
    yield Case("claim_digits", submission("Una", raw=digits), says="manifest")
    yield Case("claim_text", submission("Una", claims={"a": "0.99"}), says="finite number")
    yield Case("field_missing", submission("Una", slots=...), says="missing")
    yield Case("field_extra", submission("Una", grade=100), says="unknown")
    yield Case("field_twice", submission("Una", raw=text.replace("{", '{"student": "Eve", ', 1).encode()), says="twice")
    yield Case("student_number", submission("Una", student=7), says="student is")
    yield Case("student_long", submission("Una", student="x" * 10_000), says="student is")
    yield Case("student_control", submission("Una", student="a\x1b[2Jb"), says="student is")
    yield Case("student_path", submission("Una", student="../../x"), says="student is")
    yield Case("student_surrogate", submission("Una", student="\ud800"), says="student is")
    yield Case("deep", submission("Una", raw=b"[" * 60_000), says="nested")
    yield Case("not_json", submission("Una", raw=b"\xff\xfe\x00"), says="JSON")
    yield Case("huge_manifest", submission("Una", raw=b" " * 200_000), says="at most")
    yield Case("slot_name", submission("Una", slots={"../x": base["slots"]["lite"]}), says="slot")
    yield Case("slot_size", submission("Una", slots={"lite": base["slots"]["lite"] | {"size": 10**30}}), says="size")
    yield Case("unannounced", submission("Una", extra={"third.onnx": linear_onnx()}), says="not named")


def broken_models() -> Iterator[Case]:
    lite, onnx = linear_tflite(), linear_onnx()
    for tenth in range(10):
        yield Case(
            f"lite_cut_{tenth}",
            submission("Cut", files={"lite.tflite": lite[: len(lite) * tenth // 10]}),
            ("lite",),
            "lite.tflite",
        )
        yield Case(
            f"onnx_cut_{tenth}", submission("Cut", files={"onnx.onnx": onnx[: len(onnx) * tenth // 10]}), ("onnx",), "onnx.onnx"
        )
    good = submission("Flip")
    for model, slot in ((lite, "lite"), (onnx, "onnx")):
        yield Case(f"{slot}_flipped_in_zip", _flip(good, good.index(model) + len(model) // 2), (slot,), "damaged")
    described = manifest("Sha", {"lite.tflite": lite, "onnx.onnx": onnx})
    described["slots"]["lite"]["sha256"] = "0" * 64
    raw = json.dumps(described).encode()
    yield Case("wrong_digest", submission("Sha", raw=raw, files={"answers.npz": None}), ("lite", "affine"), "SHA-256")
    missing = submission(
        "Gone",
        raw=json.dumps(manifest("Gone", {"lite.tflite": lite, "onnx.onnx": onnx})).encode(),
        files={"onnx.onnx": None, "answers.npz": None},
    )
    yield Case("missing_file", missing, ("onnx", "affine"), "does not hold it")
    for name, content, says in (
        ("keras", zipped({"config.json": b"{}", "model.weights.h5": b"x"}), ".keras"),
        ("hdf5", b"\x89HDF\r\n\x1a\n" + b"\0" * 500, "HDF5"),
        ("pickle", pickle.dumps({"a": np.ones(3)}), "pickle"),
        ("renamed_onnx", onnx, "expected a LiteRT model"),
    ):
        yield Case(f"disguised_{name}", submission("Mask", files={"lite.tflite": content}), ("lite",), says)
    yield Case(
        "custom_lite", submission("Cus", files={"lite.tflite": linear_tflite(custom="Surprise")}), ("lite",), "lite.tflite"
    )
    yield Case("custom_onnx", submission("Cus", files={"onnx.onnx": custom_onnx()}), ("onnx",), "onnx.onnx")
    for index, place in enumerate(("../weights.bin", "/etc/passwd", "weights.bin")):
        yield Case(f"external_{index}", submission("Ext", files={"onnx.onnx": external_onnx(place)}), ("onnx",), "another file")


def flipped_models() -> Iterator[Case]:
    """Bytes flipped anywhere and the digest made right again: it may still be an honest model, so nothing is said of points."""
    rng = np.random.default_rng(0)
    for name, model in (("lite.tflite", linear_tflite()), ("onnx.onnx", linear_onnx())):
        for index in range(6):
            changed = bytearray(model)
            # The structure is at one end of either file, the weights take the rest: aim at both.
            where = rng.integers(0, len(model), 20) if index % 2 else rng.integers(0, 300, 3)
            for position in np.concatenate([where, len(model) - 1 - where // 4]):
                changed[position] ^= 1 << int(rng.integers(0, 8))
            yield Case(f"flipped_{name[:4]}_{index}", submission("Bits", files={name: bytes(changed)}), ())


def wrong_models() -> Iterator[Case]:
    w, b = linear_weights()
    flat = helper.make_node("Flatten", ["x"], ["flat"], axis=1)
    gemm = helper.make_node("Gemm", ["flat", "w", "b"], ["y"])
    nan = w.copy()
    nan[3, 3] = np.nan
    wide = onnx_model([flat, gemm], {"w": np.zeros((784, 10), np.float32), "b": b}, shape=(28, 28, 1))
    for name, content, says in (
        ("input_shape", wide, "expects inputs of shape"),
        ("classes", onnx_model([flat, gemm], {"w": w[:, :7].copy(), "b": b[:7].copy()}, classes=7), "outputs have shape"),
        ("nan", onnx_model([flat, gemm], {"w": nan, "b": b}), "NaN"),
        ("constant", onnx_model([flat, gemm], {"w": w * 0, "b": b}), "same output for every input"),
        ("slow", long_onnx(), "took longer than"),
        ("memory", huge_onnx(), "more memory"),
    ):
        yield Case(f"onnx_{name}", submission("Wrong", files={"onnx.onnx": content}), ("onnx",), says)
    for name, content, says in (
        ("input_shape", linear_tflite(w=np.zeros((784, 10), np.float32), b=b, shape=(28, 28, 1)), "expects inputs of shape"),
        ("classes", linear_tflite(w=w[:, :7].copy(), b=b[:7].copy()), "outputs have shape"),
        ("nan", linear_tflite(w=nan, b=b), "NaN"),
        ("constant", linear_tflite(w=w * 0, b=b), "same output for every input"),
    ):
        yield Case(f"lite_{name}", submission("Wrong", files={"lite.tflite": content}), ("lite",), says)


def broken_answers() -> Iterator[Case]:
    def npz(arrays: Mapping[str, bytes]) -> bytes:
        return zipped({f"{name}.npy": content for name, content in arrays.items()})

    def npy(array, **options) -> bytes:
        stream = io.BytesIO()
        np.save(stream, array, **options)
        return stream.getvalue()

    def announced(shape: tuple, held: int = 0) -> bytes:
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
        return npz({"affine/scale": stream.getvalue() + bytes(held)})

    lying = io.BytesIO()
    np.lib.format.write_array_header_1_0(lying, {"descr": "<f8", "fortran_order": False, "shape": (3_000_000_000,)})
    for name, content, says in (
        ("pickled", npz({"affine/scale": npy(np.array([print], dtype=object), allow_pickle=True)}), "pickle"),
        ("text", npz({"affine/scale": npy(np.array(["a"]))}), "dtype"),
        ("header", npz({"affine/scale": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 70_000}), "not a NumPy array"),
        ("lying_header", npz({"affine/scale": lying.getvalue() + bytes(24)}), "announces shape"),
        ("empty_and_huge", announced((0, 2**62, 2**62)), "announces shape"),
        ("empty_and_longer", announced((0, 2**70)), "announces shape"),
        ("true_as_shape", announced((True, True), 8), "announces shape"),
        ("many_axes", announced((1,) * 60, 8), "announces shape"),
        ("traversal", zipped({"../../evil.npy": npy(np.ones(3))}), "leaves the folder"),
        ("not_npz", b"no zip at all", "not a zip"),
        ("bomb", zipped({"affine/scale.npy": npy(np.zeros(4_000_000))}, zipfile.ZIP_DEFLATED), "zip bomb"),
        ("nan", npz({"affine/scale": npy(np.full((), np.nan))}), "is wrong"),
        ("shape", npz({"affine/scale": npy(np.ones((5, 5)))}), "has shape"),
    ):
        yield Case(f"answers_{name}", submission("Ann", files={"answers.npz": content}), ("affine",), says)
    yield Case("answers_copied", submission("Copy", files={"answers.npz": honest_answers("Honest One")}), ("affine",), "right")


# What stops the cases of each group; none of the honest ones needs to be.
GROUPS = {
    honest: "",
    broken_zips: "reading the zip: every name, size and byte is checked before it is used",
    broken_manifests: "reading the manifest: every field is checked",
    broken_models: "digests and the file's first bytes; else the runtime refuses it, in its child",
    flipped_models: "the child: whatever the runtime does with it, it does there",
    wrong_models: "checks of shapes and outputs outside the worker; the child's limits",
    broken_answers: "reading arrays without pickle, their size before their content; exercises with each student's own numbers",
}


def all_cases() -> list[Case]:
    return [case for group in GROUPS for case in group()]


def kinds(groups: Iterable = (*GROUPS,)) -> set[str]:
    """The kinds of hostile files: a series counts once, and so do the same things done to either format."""
    names = [case.name for group in groups if group is not honest for case in group()]
    return {re.sub(r"_+", "_", re.sub(r"_\d+$|lite|onnx", "", name)).strip("_") for name in names}


def write(folder: Path, cases: list[Case]) -> None:
    folder.mkdir(parents=True)
    for case in cases:
        (folder / f"{case.name}.zip").write_bytes(case.content)


def _flip(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


def _central(content: bytes) -> int:
    """Where the table of contents begins."""
    return struct.unpack("<L", content[-6:-2])[0]


def _lie(content: bytes) -> bytes:
    """Declares the first member ten bytes longer than it is."""
    at = _central(content) + 20
    sizes = struct.unpack("<LL", content[at : at + 8])
    return content[:at] + struct.pack("<LL", sizes[0], sizes[1] + 10) + content[at + 8 :]


def _entries(content: bytes) -> Iterator[int]:
    """Where each entry of the table of contents begins."""
    at = _central(content)
    while content[at : at + 4] == b"PK\1\2":
        yield at
        at += 46 + sum(struct.unpack("<HHH", content[at + 28 : at + 34]))


def _moved(more: bytes, content: bytes, member: int | None) -> bytes:
    """Puts `more` before a member, or before the table of contents, and tells every offset as it then is."""
    offsets = [struct.unpack("<L", content[at + 42 : at + 46])[0] for at in _entries(content)]
    place = _central(content) if member is None else offsets[member]
    changed = bytearray(content)
    for at, offset in zip(_entries(content), offsets, strict=True):
        changed[at + 42 : at + 46] = struct.pack("<L", offset + len(more) * (offset >= place))
    changed[-6:-2] = struct.pack("<L", _central(content) + len(more))
    return bytes(changed[:place]) + more + bytes(changed[place:])


def _overlapping(content: bytes) -> bytes:
    """Declares the second member so long that it holds the third, too, whose bytes are thereby used twice."""
    second, third = list(_entries(content))[1:3]
    sizes = [struct.unpack("<L", content[at + 20 : at + 24])[0] for at in (second, third)]
    longer = struct.pack("<LL", *[sum(sizes)] * 2)
    return content[: second + 20] + longer + content[second + 28 :]


def _flagged(content: bytes) -> bytes:
    """Marks the first member as encrypted."""
    at = _central(content) + 8
    return content[:at] + bytes([content[at] | 1]) + content[at + 1 :]


def _renamed(content: bytes, name: str) -> bytes:
    """Adds a member of any name, byte for byte: zipfile itself would tidy it."""
    placeholder = "q" * len(name.encode())
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(placeholder, b"evil")
    return stream.getvalue().replace(placeholder.encode(), name.encode())


if __name__ == "__main__":  # python hostile_submissions.py FOLDER, to look at them by hand
    write(Path(sys.argv[1]), all_cases())
