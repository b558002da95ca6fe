"""What is packed is read back the same; what would be refused is not packed; both sides use one reader."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models_by_hand import linear_onnx, linear_tflite, saved
from projectkit.errors import SubmissionError
from projectkit.submit import LIMITS, check, pack, read

LAB = "l01_quantization"


@pytest.fixture
def models(tmp_path):
    return {
        "int8": saved(tmp_path / "models", "mine.tflite", linear_tflite()),
        "onnx_int8": saved(tmp_path / "models", "mine.onnx", linear_onnx()),
    }


ANSWERS = {
    "affine": {"scale": np.float32(0.25), "quantized": np.arange(12, dtype=np.int8).reshape(3, 4).T, "empty": np.zeros((0, 3))},
    "observers": {"clipped": 0.5, "flags": np.array([True, False])},
}


def packed(path, models, **changes):
    options = {"student": "Zoë O'Neil", "lab": LAB, "artifacts": models, "answers": ANSWERS, "claims": {"int8/accuracy": 0.9}}
    return pack(path, **(options | changes))


def test_read_gives_back_what_pack_got(tmp_path, models):
    intake = read(packed(tmp_path / "a.zip", models), tmp_path / "out")
    submission = intake.submission
    assert (submission.student, submission.lab, submission.scale) == ("Zoë O'Neil", LAB, "quick")
    assert intake.problems == {}
    assert submission.claims == {"int8/accuracy": 0.9}
    for slot, source in models.items():
        assert Path(submission.artifacts[slot].path).read_bytes() == source.read_bytes()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"int8.tflite", "onnx_int8.onnx"}
    for exercise, arrays in ANSWERS.items():
        assert set(submission.answers[exercise]) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(submission.answers[exercise][name], array)
            assert submission.answers[exercise][name].shape == np.shape(array)


def test_equal_content_gives_equal_bytes(tmp_path, models):
    first = packed(tmp_path / "a.zip", models)
    other = packed(tmp_path / "b.zip", dict(reversed(models.items())), answers=dict(reversed(ANSWERS.items())))
    assert first.read_bytes() == other.read_bytes()
    assert packed(tmp_path / "c.zip", models, student="Ann").read_bytes() != first.read_bytes()


def test_numpy_reads_the_answers_without_pickles(tmp_path, models):
    with zipfile.ZipFile(packed(tmp_path / "a.zip", models)) as archive:
        stored = np.load(io.BytesIO(archive.read("answers.npz")), allow_pickle=False)
        assert {name: stored[name].shape for name in stored.files}["affine/quantized"] == (4, 3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"claims": {"int8/accuracy": float("nan")}}, "finite number"),
        ({"claims": {"a": "high"}}, "finite number"),
        ({"claims": {"a": True}}, "finite number"),
        ({"claims": {str(i): i for i in range(LIMITS.claims + 1)}}, "claims"),
        ({"answers": {"affine": {"scale": np.array([object()])}}}, "dtype object"),
        ({"answers": {"affine": {"scale": np.array(["1"])}}}, "expected numbers"),
        ({"answers": {"affine": {"scale": np.array(1 + 2j)}}}, "expected numbers"),
        ({"answers": {"affine": {"../scale": np.ones(1)}}}, "is not a name"),
        ({"answers": {"affine": {"big": np.zeros(LIMITS.answers_bytes // 8)}}}, "expected at most"),
        ({"student": ""}, "student"),
        ({"student": "a/b"}, "student"),
        ({"student": "a\nb"}, "student"),
        ({"student": "\u202egnp"}, "student"),
        ({"student": None}, "student"),
        ({"lab": "L01 Quantization"}, "lab"),
        ({"scale": "huge"}, "scale"),
    ],
)
def test_pack_refuses_and_leaves_nothing_behind(tmp_path, models, changes, says):
    with pytest.raises(SubmissionError, match=says):
        packed(tmp_path / "sub" / "a.zip", models, **changes)
    assert not (tmp_path / "sub").exists() or list((tmp_path / "sub").iterdir()) == []


@pytest.mark.parametrize("slot", ["Int8", "../int8", "", "con", "answers", "a" * 41, "é"])
def test_pack_refuses_bad_slot_names(tmp_path, models, slot):
    with pytest.raises(SubmissionError, match="slot"):
        packed(tmp_path / "a.zip", {slot: models["int8"]})


def test_pack_refuses_what_is_no_model(tmp_path):
    for name, content, says in (
        ("model.keras", b"x", ".tflite or .onnx"),
        ("model.tflite", b"PK\x03\x04rest", ".keras"),
        ("model.onnx", linear_tflite(), "a LiteRT model, expected an ONNX model"),
        ("large.onnx", bytes(LIMITS.file_bytes + 1), "expected at most"),
    ):
        with pytest.raises(SubmissionError, match=says):
            packed(tmp_path / "a.zip", {"int8": saved(tmp_path / "m", name, content)})
    with pytest.raises(SubmissionError, match="cannot be read"):
        packed(tmp_path / "a.zip", {"int8": tmp_path / "absent.onnx"})


def test_a_failed_pack_keeps_the_earlier_zip(tmp_path, models):
    path = packed(tmp_path / "a.zip", models)
    before = path.read_bytes()
    with pytest.raises(SubmissionError):
        packed(path, models, student="")
    assert path.read_bytes() == before


def test_check_tells_what_is_accepted_and_what_is_absent(tmp_path, models):
    findings = check(packed(tmp_path / "a.zip", models))
    assert all(finding.good for finding in findings)
    text = " ".join(finding.sentence for finding in findings)
    assert "onnx_int8.onnx" in text and "answers to affine" in text
    assert "No answers to per_channel" in text and "No model for qat, few_bits" in text


def test_check_refuses_an_unknown_lab_and_a_model_in_the_wrong_format(tmp_path, models):
    (finding,) = check(packed(tmp_path / "a.zip", models, lab="l99_alchemy", answers={}))
    assert not finding.good and "l99_alchemy" in finding.sentence and "l01_quantization" in finding.sentence
    swapped = {"int8": models["onnx_int8"], "onnx_int8": models["int8"]}
    refused = [finding.sentence for finding in check(packed(tmp_path / "b.zip", swapped)) if not finding.good]
    assert len(refused) == 2
    assert "expected a .tflite file for int8" in refused[0] and "expected a .onnx file for onnx_int8" in refused[1]


def test_check_says_what_read_refuses(tmp_path, models):
    path = tmp_path / "bad.zip"
    path.write_bytes(packed(tmp_path / "a.zip", models).read_bytes()[:-5])
    with pytest.raises(SubmissionError) as refused:
        read(path, tmp_path / "out")
    (finding,) = check(path)
    assert not finding.good and finding.sentence == str(refused.value)
    assert [finding.good for finding in check(tmp_path / "absent.zip")] == [False]


def test_one_bad_exercise_spoils_no_other(tmp_path, models):
    path = packed(tmp_path / "a.zip", models)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    broken = files["answers.npz"].replace(b"'descr': '<f4'", b"'descr': '|O4'")
    assert broken != files["answers.npz"]
    from projectkit.submit.answers import load_answers

    # The CRC of the member no longer fits: the zip's own check is one of the lines of defence.
    answers, problems = load_answers(broken)
    assert set(answers) == {"observers"} and set(problems) == {"affine"}


def test_damage_anywhere_is_a_submission_error_or_harmless(tmp_path, models):
    """Bytes changed and cut out at random: nothing but SubmissionError ever comes out, and no damaged model gets through."""
    good = packed(tmp_path / "good.zip", models).read_bytes()
    sound = {source.read_bytes() for source in models.values()}
    rng = np.random.default_rng(0)
    refused = 0
    for index in range(400):
        content = bytearray(good)
        # The names, sizes and the table of contents are at the two ends; the middle is mostly weights.
        first, last = [(0, len(good)), (0, 700), (len(good) - 400, len(good))][index % 3]
        for position in rng.integers(first, last, rng.integers(1, 5)):
            content[position] = rng.integers(256)
        if index % 5 == 0:
            del content[first : first + int(rng.integers(1, 60))]
        (tmp_path / "damaged.zip").write_bytes(content)
        try:
            intake = read(tmp_path / "damaged.zip", tmp_path / f"out{index}")
        except SubmissionError:
            refused += 1
        else:
            assert all(Path(artifact.path).read_bytes() in sound for artifact in intake.submission.artifacts.values())
    assert refused > 100
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(("out", "good", "damaged", "models"))]


@pytest.mark.parametrize("written", ["streamed", "deflated", "with long sizes"])
def test_a_zip_that_another_program_has_written_is_read(tmp_path, models, written):
    """Its places are checked byte by byte, and other programs leave other bytes: sizes behind a member, or in an extra field."""

    class Unseekable(io.RawIOBase):
        def writable(self):
            return True

        def write(self, content):
            stream.extend(content)
            return len(content)

    stream = bytearray()
    with zipfile.ZipFile(packed(tmp_path / "a.zip", models)) as good:
        seekable = io.BytesIO()
        target = Unseekable() if written == "streamed" else seekable
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as other:
            for name in reversed(good.namelist()):
                with other.open(name, "w", force_zip64=written == "with long sizes") as member:
                    member.write(good.read(name))
    (tmp_path / "b.zip").write_bytes(bytes(stream) or seekable.getvalue())
    intake = read(tmp_path / "b.zip", tmp_path / "out")
    assert set(intake.submission.artifacts) == set(models) and not intake.problems
