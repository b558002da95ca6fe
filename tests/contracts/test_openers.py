"""What every opener promises. A new member of VARIANTS is held to it by being there, if an exporter writes its format.

Supermasks have no exporter: nothing of a trained network goes into one. A variant that this machine cannot run is skipped, and
says why.
"""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from projectkit import runtimes
from projectkit.errors import ArtifactError, NotHere
from projectkit.types import FORMATS, Artifact

SUFFIXES = {format: suffix for suffix, format in FORMATS.items()}


FILES = [(format, precision) for format in runtimes.OPENERS for precision in ("float32", "int8") if format != "supermask"]
FILES.append(("supermask", "as drawn"))
KINDS = [(*file, variant) for file in FILES for variant in runtimes.VARIANTS[file[0]]]
RIGHT = {"supermask": 0.45}  # nobody trained it; chance is 0.1, and this search finds 0.58


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def artifacts():
    """The files that were written already: every variant of a format opens the same."""
    return {}


@pytest.fixture(scope="module")
def artifact(kind, artifacts, trained, digits, tmp_path_factory):
    format, precision, _ = kind
    if (format, precision) not in artifacts:
        artifacts[format, precision] = written(format, precision, trained, digits, tmp_path_factory)
    return artifacts[format, precision]


def written(format, precision, trained, digits, tmp_path_factory):
    from projectkit.export import EXPORTERS
    from projectkit.prune import supermasks
    from projectkit.runtimes.supermask import write_supermask

    path = tmp_path_factory.mktemp("opened") / f"model{SUFFIXES[format]}"
    if format == "supermask":
        scene = supermasks.prepare(digits, (300, 100))
        effort = supermasks.Effort(steps=1000, groups=128)
        return write_supermask(supermasks.one_shot(scene, supermasks.SCORES["pgbp_loss"], effort=effort).supermask(scene), path)
    return EXPORTERS[format](trained, path, precision=precision, calibrate=digits.train.x[:100])


@pytest.fixture
def opener(kind, artifact):
    """(artifact, threads=1) -> session of the variant."""

    def open(artifact=artifact, threads=1):
        try:
            return runtimes.open(artifact, threads=threads, variant=kind[2])
        except NotHere as reason:
            pytest.skip(f"{kind[2]}: {reason}")

    return open


@pytest.fixture
def session(opener):
    with closing(opener()) as opened:
        yield opened


def test_floats_in_floats_out(session, digits):
    logits = session.run(digits.test.x[:5])
    assert logits.shape == (5, 10)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_says_what_it_takes_and_gives(session):
    assert [tensor.shape for tensor in (*session.inputs, *session.outputs)] == [(8, 8, 1), (10,)]


def test_is_right_about_the_digits(session, artifact, digits):
    right = np.mean(session.run(digits.test.x).argmax(axis=1) == digits.test.y)
    assert right > RIGHT.get(artifact.format, 0.9)


def test_set_invoke_get_is_what_run_does(session, kind, digits):
    for count in (1,) if kind[2] == "micro" else (1, 3, 1):
        session.set_input(digits.test.x[:count])
        session.invoke()
        session.invoke()  # again on the same inputs
        np.testing.assert_allclose(session.get_output(), session.run(digits.test.x[:count]), atol=1e-5)


def test_there_is_no_output_before_the_inputs_were_used(session, digits):
    session.run(digits.test.x[:1])
    session.set_input(digits.test.x[:1])
    with pytest.raises(ArtifactError, match="no answers yet"):
        session.get_output()
    with pytest.raises(ArtifactError, match="expects inputs of shape"):
        session.set_input(digits.test.x[0])


@pytest.mark.parametrize("batches", [[130], [64, 66], [1] * 130, [7, 120, 3]], ids=str)
def test_the_batch_does_not_matter(session, digits, batches):
    x = digits.test.x[:130]
    parts = np.split(x, np.cumsum(batches)[:-1])
    got = np.concatenate([session.run(part) for part in parts])
    np.testing.assert_allclose(got, session.run(x), atol=1e-5)


def test_other_number_types_and_layouts_are_read_as_the_same_values(session, digits):
    x = digits.test.x[:6]
    expected = session.run(x)
    assert np.array_equal(session.run(x.astype(np.float64)), expected)
    assert np.array_equal(session.run(np.asfortranarray(x)), expected)
    assert np.array_equal(session.run(x.tolist()), expected)


def test_what_ran_before_leaves_no_trace(session, digits):
    before = session.run(digits.test.x[:3])
    session.run(np.full((70, 8, 8, 1), 1e6, np.float32))
    assert np.array_equal(session.run(digits.test.x[:3]), before)


@pytest.mark.parametrize("shape", [(8, 8, 1), (2, 8, 8), (2, 8, 8, 3), (2, 9, 8, 1), (2, 64), (0, 8, 8, 1), (5,)], ids=str)
def test_wrong_input_shapes_are_refused_with_both_shapes(session, shape):
    with pytest.raises(ArtifactError) as error:
        session.run(np.zeros(shape, np.float32))
    assert "(n, 8, 8, 1)" in str(error.value)
    assert str(shape) in str(error.value)


def test_runs_on_after_a_refusal(session, digits):
    expected = session.run(digits.test.x[:2])
    with pytest.raises(ArtifactError):
        session.run(np.zeros((2, 3), np.float32))
    assert np.array_equal(session.run(digits.test.x[:2]), expected)


def test_a_closed_session_refuses_to_run(opener, digits):
    session = opener()
    session.close()
    session.close()
    with pytest.raises(ArtifactError, match="closed"):
        session.run(digits.test.x[:1])


def test_threads_change_nothing_but_the_time(opener, session, digits):
    with closing(opener(threads=2)) as other:
        np.testing.assert_allclose(other.run(digits.test.x[:80]), session.run(digits.test.x[:80]), atol=1e-5)
    with pytest.raises(ArtifactError, match="at least 1"):
        opener(threads=0)


def test_a_variant_says_what_the_usual_runtime_says(artifact, session, digits):
    """Each rounds in its own way: int8 kernels differ by a step of the output's grid or two."""
    with closing(runtimes.open(artifact)) as usual:
        expected = usual.run(digits.test.x)
    apart = np.abs(session.run(digits.test.x) - expected)
    assert apart.max() < 0.03 * np.ptp(expected)
    assert np.mean(session.run(digits.test.x).argmax(axis=1) == expected.argmax(axis=1)) > 0.98


# What takes a process of its own is looked at for one file of each variant.
once = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind[1] != "int8"], ids="-".join, indirect=True)


@once
def test_damaged_files_are_refused_with_their_name(kind, opener, artifact, tmp_path):
    """Opened in a process of its own: a runtime that crashes on a damaged file must not take the tests with it."""
    opener().close()
    whole = Path(artifact.path).read_bytes()
    for tenth in range(10):
        (tmp_path / f"cut{tenth}{SUFFIXES[artifact.format]}").write_bytes(whole[: len(whole) * tenth // 10])
    garbage = np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()
    (tmp_path / f"garbage{SUFFIXES[artifact.format]}").write_bytes(garbage)
    program = """
import pathlib, sys
from projectkit import runtimes
from projectkit.errors import ArtifactError
from projectkit.types import Artifact
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        runtimes.open(Artifact.of(path), variant=sys.argv[2])
        print(path.name, "opened")
    except ArtifactError as error:
        print(path.name, "refused" if path.name in str(error) else f"without its name: {error}")
"""
    child = subprocess.run([sys.executable, "-c", program, str(tmp_path), kind[2]], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == [f"{path.name} refused" for path in sorted(tmp_path.iterdir())]


def test_opening_and_running_prints_nothing(kind, opener, artifact):
    opener().close()
    program = """
import sys
import numpy as np
from projectkit import runtimes
from projectkit.types import Artifact
runtimes.open(Artifact.of(sys.argv[1]), variant=sys.argv[2]).run(np.zeros((3, 8, 8, 1), np.float32))
"""
    child = subprocess.run([sys.executable, "-c", program, artifact.path, kind[2]], capture_output=True, text=True, check=True)
    assert child.stdout + child.stderr == ""


def test_a_file_that_has_vanished_is_refused(opener, artifact, tmp_path):
    gone = Artifact(str(tmp_path / f"gone{SUFFIXES[artifact.format]}"), artifact.format, artifact.sha256, artifact.size)
    with pytest.raises(ArtifactError, match="gone"):
        opener(gone)


def test_an_unknown_variant_is_refused(artifact):
    with pytest.raises(ArtifactError, match=r"no variant 'fastest'; known are"):
        runtimes.open(artifact, variant="fastest")


def test_an_unknown_format_is_refused(artifact):
    with pytest.raises(ArtifactError, match=r"'tensorrt' has no runtime; known are litert, onnx"):
        runtimes.open(Artifact(artifact.path, "tensorrt", artifact.sha256, artifact.size))
