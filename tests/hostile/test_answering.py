"""Children that answer an attack's questions falsely, too late, too often or not at all: robust accuracy is an error, all else of
the submission is graded, and so is the next one."""

import ast
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from grading.courses import inputs_of
from grading.hidden.data import Hidden
from grading.hidden.probes import Probes
from grading.measuring.black_box import UNCHANGED, BlackBox
from grading.measuring.remeasure import MeasuringTask, measure
from grading.types import Attack, Limits
from grading.worker.frames import pack_array
from grading.workers import sandbox
from grading.workers.pool import Workers
from models_by_hand import linear_onnx, linear_weights, saved
from projectkit.data import load
from projectkit.types import Artifact

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the child is confined on Linux")
HERE = Path(__file__).parent
KINDS = [
    node.name
    for node in ast.parse((HERE / "answering.py").read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef) and [argument.arg for argument in node.args.args] == ["slot", "_"]
]
LIMITS = Limits(seconds=2.0, memory=3 * 1024**3, file_bytes=32 * 1024**2)
SAYS = {
    "a_death_in_the_middle": "crashed the runtime",
    "a_crash_in_the_middle": "crashed the runtime",
    "no_numbers_after_the_first": "NaN or infinite",
    "infinities": "NaN or infinite",
    "too_many_rows": "one logit a class for each image",
    "other_classes": "one logit a class for each image",
    "no_array": "unreadable",
    "an_empty_answer_to_begin_again": "unreadable",
    "more_than_fits": "do not fit",
    "silence": "took longer than the 2 s",
    "a_trickle": "took longer than the 2 s",
    "no_waiting_for_questions": "say more than any model needs to",
    "questions_after_the_end": "say more than any model needs to",
    "too_few_answers": "did not answer all questions",
}


SOME = ("a_crash_in_the_middle", "no_numbers_after_the_first", "more_than_fits", "questions_after_the_end", "silence")
USUAL = "bubblewrap" if sandbox.protections().kind == sandbox.BUBBLEWRAP else "fallback"
# All kinds in the mode that is usual here, some in the other (the rest in `make proofs`), and some without fork, where a process
# is started for each job.
CASES = [
    pytest.param(mode, kind, marks=[] if mode == USUAL or kind in SOME else [pytest.mark.proof])
    for mode in ("bubblewrap", "fallback")
    for kind in KINDS
]
CASES += [("without fork", kind) for kind in SOME]


@pytest.fixture(scope="module")
def workers(request):
    """One worker with such children, in the sandbox or without; "without fork" it answers itself and ends, as on macOS."""
    if request.param == "bubblewrap" and sandbox.protections().kind != sandbox.BUBBLEWRAP:
        pytest.skip("bubblewrap does not work here")
    source = (HERE / "answering.py").read_text("utf-8")
    if request.param == "without fork":
        source = source.replace("warm.main(", "warm.FORKS = False; warm.main(")
    with pytest.MonkeyPatch.context() as patch, Workers(1) as one:
        if request.param != "bubblewrap":
            patch.setattr(sandbox, "protections", lambda: sandbox.Protections(sandbox.NONE, ()))
        one._all[0].program = ("-c", source)
        yield request.param, one


@pytest.fixture(scope="module")
def hidden():
    test = load("digits").test
    return Hidden(test, 10, "hidden", test.take(0), test.take(0), "altered")


def task(hidden, folder, kind: str) -> MeasuringTask:
    content = with_producer(kind) if kind else linear_onnx()
    probes = Probes(hidden.split.take(0), hidden.split.x[:0], Attack(0.1, 40, 30), seed=1)
    artifacts = {"first": Artifact.of(saved(folder, "first.onnx", content))}
    wanted = {"first": ("accuracy", "macs", "robust_accuracy")}
    return MeasuringTask(artifacts, wanted, hidden, inputs_of(hidden, probes), LIMITS, probes=probes)


def with_producer(kind: str) -> bytes:
    model = onnx.load_from_string(linear_onnx())
    model.producer_name = f"answers-like:{kind}."
    return model.SerializeToString()


@pytest.mark.parametrize(("workers", "kind"), CASES, indirect=["workers"])
def test_it_earns_nothing_and_spoils_nothing_else(kind, workers, hidden, tmp_path):
    mode, worker = workers
    measured = measure(task(hidden, tmp_path, kind), worker.run)
    profile = measured.slots["first"].profile
    assert not measured.problems and profile.values["accuracy"].value > 0.9 and "macs" in profile.values
    assert "robust_accuracy" not in profile.values
    reason = profile.missing["robust_accuracy"]
    assert reason.isprintable() and len(reason) < 700
    if mode != "without fork":
        assert SAYS.get(kind, "") in reason
    honest = measure(task(hidden, tmp_path / "next", ""), worker.run).slots["first"].profile
    assert 0 < honest.values["robust_accuracy"].value < 1


def test_every_kind_is_one_that_a_reader_of_the_list_would_find():
    assert set(SAYS) <= set(KINDS) and len(KINDS) >= 18


def test_questions_are_images_near_the_hidden_ones_and_bounded(hidden):
    """All that a worker is told, up to where the second search goes further out on its rays; and no round is larger than said."""
    weights, bias = linear_weights()
    attack = Attack(0.1, 40, 30)
    box = BlackBox(hidden.split, 10, Probes(hidden.split.take(0), hidden.split.x[:0], attack, seed=1))
    sent = [box.reply(b"")]
    while sent[-1]:
        images = np.frombuffer(sent[-1], "<f4").reshape(-1, 8, 8, 1)
        assert images.min() >= 0 and images.max() <= 1 and len(images) <= attack.images + UNCHANGED
        if len(sent) <= attack.queries:
            distances = np.abs(images[:, None] - hidden.split.x[None, : attack.images]).max(axis=(2, 3, 4))
            assert distances.min(axis=1).max() <= attack.epsilon + 1e-6
        sent.append(box.reply(pack_array(images.reshape(len(images), -1) @ weights + bias)))
    assert attack.queries < len(sent) <= box.rounds and max(map(len, sent)) <= box.board
    assert 0 < box.result().value < 1
    assert box.reply(pack_array(np.ones((1, 10), np.float32))) == b"", "after the end there is nothing more"
    box.begin()
    assert box.reply(b"") == sent[0], "another worker is asked the same"
