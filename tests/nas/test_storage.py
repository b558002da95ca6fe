"""Where studies live: what is refused, what heals, and that nothing is overwritten."""

import json
import multiprocessing
import os

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from projectkit.errors import ModelError, SearchError
from projectkit.nas import SAMPLERS, Space, cost, export_study, objective, open_storage, parse, read_study
from projectkit.nas.storage import ENTRY, HealingLock, storage_errors

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = Space(depth=(1, 2), filters=(4, 8), stride=(1,))
TASK = {"shape": (8, 8, 1), "classes": 10}


def study_in(place):
    return optuna.create_study(
        study_name="kept",
        storage=open_storage(str(place)),
        sampler=SAMPLERS["random"](SPACE.genes(), seed=0),
        load_if_exists=True,
    )


def go_on(place, trials=3):
    study = study_in(place)
    study.optimize(objective(SPACE, lambda architecture, trial: trial.user_attrs["macs"], **TASK), n_trials=trials)
    return study.trials


@pytest.mark.parametrize("make", [lambda folder: folder / "study.journal", lambda folder: f"sqlite:///{folder}/study.db"])
def test_a_study_is_there_when_it_is_opened_again(make, tmp_path):
    go_on(make(tmp_path))
    assert [trial.number for trial in go_on(make(tmp_path))] == list(range(6))


@pytest.mark.parametrize("bytes_lost", [1, 7, 30])
def test_a_line_that_a_killed_worker_left_half_written_heals(bytes_lost, tmp_path):
    path = tmp_path / "study.journal"
    go_on(path)
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole[:-bytes_lost])
    trials = go_on(path)
    assert [trial.number for trial in trials] == list(range(6))
    assert trials[2].state == TrialState.RUNNING  # its last entry, the end of the trial, is what was torn
    assert path.read_bytes().startswith(whole.removesuffix(last))
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_study_of_which_only_half_of_a_line_is_there_heals(tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(ENTRY + b'0,"work')
    assert len(go_on(path)) == 3


def append(path, worker, count):
    journal = JournalFileBackend(str(path), lock_obj=HealingLock(path))
    for index in range(count):
        journal.append_logs([{"op_code": 2, "worker_id": worker, "text": "x" * 5000, "index": index}])
        with open(path, "ab") as file:  # dies in the middle of a line, with the lock in its hands
            journal._lock.acquire()
            file.write(ENTRY + b'1,"torn":"')
            file.flush()
            journal._lock.release()


def test_writers_that_leave_torn_lines_all_the_time_lose_no_entry(tmp_path):
    path = tmp_path / "study.journal"
    path.touch()
    writers = [multiprocessing.get_context("spawn").Process(target=append, args=(path, name, 15)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    whole = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    written = [(entry["worker_id"], entry["index"]) for entry in whole]
    assert sorted(written) == [(name, index) for name in ("a", "b") for index in range(15)]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lines: [*lines[:3], b"garbage\n", *lines[3:]], "line 4 is no entry of a journal: b'garbage"),
        (lambda lines: [*lines[:3], lines[3][:20] + b"\n", *lines[4:]], "line 4"),
        (lambda lines: [*lines[:3], b"\0" * 40 + b"\n", *lines[3:]], "line 4"),
        (lambda lines: [*lines, b"garbage without an end"], "is no entry"),
        (lambda lines: [b'{"op_code":99,"worker_id":"w"}\n', *lines], "is damaged"),
        (lambda lines: [b'{"op_code":0,"worker_id":"w"}\n', *lines], "is damaged"),
        (lambda lines: [b"[space]\ndepth = [1, 2]\n"], r"line 1 is no entry of a journal: b'\[space"),
        (lambda lines: [b"my thesis, one line"], "line 1"),
    ],
    ids=["line", "cut line", "zeros", "end", "unknown entry", "empty entry", "the TOML file", "a text"],
)
def test_what_is_no_journal_is_refused_with_the_reason_and_stays_as_it_is(spoil, words, tmp_path):
    path = tmp_path / "study.journal"
    go_on(path)
    path.write_bytes(b"".join(spoil(path.read_bytes().splitlines(keepends=True))))
    before = path.read_bytes()
    with pytest.raises(SearchError, match=words) as caught:
        open_storage(str(path))
    assert "nothing in it was changed" in str(caught.value) and "Give another --storage" in str(caught.value)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


def test_a_journal_that_is_damaged_while_it_is_used_is_said(tmp_path):
    path = tmp_path / "study.journal"
    study = study_in(path)
    with path.open("ab") as file:
        file.write(b'{"op_code":oh\n{"op_code":oh\n')
    with pytest.raises(SearchError, match="an entry cannot be read"), storage_errors(str(path)):
        study.get_trials()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("{folder}/absent/study.journal", r"study\.journal.*No such file"),
        ("{folder}", "Is a directory"),
        ("sqlite:///{folder}/absent/study.db", "cannot be used.*unable to open"),
        ("postgresql://me:secret@127.0.0.1:9/studies", r"me:\*\*\*@127.0.0.1|driver|extra `postgres`"),
        ("nosuch://somewhere/studies", "URL cannot be read.*nosuch"),
        ("://", "URL cannot be read"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_a_sentence_without_a_password(place, words, tmp_path):
    with pytest.raises(SearchError, match=words) as caught:
        open_storage(place.format(folder=tmp_path))
    assert "secret" not in str(caught.value)
    assert not os.listdir(tmp_path)


def ran(*, sampler="evolution", directions=("maximize",), trials=25):
    def evaluate(architecture, trial):
        if trial.number == 3:
            raise RuntimeError("out of memory")
        values = (0.5 + trial.number / 100, float(trial.user_attrs["macs"]))
        return values[: len(directions)]

    study = optuna.create_study(sampler=SAMPLERS[sampler](SPACE.genes(), seed=0), directions=directions)
    study.optimize(objective(SPACE, evaluate, **TASK, most_parameters=300), n_trials=trials, catch=(ModelError,))
    study.ask()  # is running
    study.enqueue_trial({"depth": 1})  # is waiting: not begun
    return study


@pytest.mark.parametrize("directions", [("maximize",), ("maximize", "minimize")])
def test_a_study_survives_its_file(directions, tmp_path):
    study = ran(sampler="nsga2", directions=directions)
    record = read_study(export_study(study, tmp_path / "study.json"))
    assert record.space == SPACE and record.direction == directions
    begun = [trial for trial in study.trials if trial.state != TrialState.WAITING]
    assert [trial.number for trial in record.trials] == [trial.number for trial in begun] == list(range(26))
    assert {trial.state for trial in record.trials} == {"complete", "pruned", "fail", "running"}
    for stored, trial in zip(record.trials, begun, strict=True):
        assert stored.state == trial.state.name.lower()
        assert stored.values == (tuple(trial.values) if trial.state == TrialState.COMPLETE else None)
        assert stored.reason == trial.user_attrs.get("reason") and stored.same_as == trial.user_attrs.get("same_as")
        if stored.state == "running":
            continue
        assert stored.architecture == parse(trial.user_attrs["architecture"]) and stored.digest == stored.architecture.digest
        price = cost(stored.architecture, *TASK.values())
        assert (stored.parameters, stored.macs) == (price.parameters, price.macs)
    assert "out of memory" in record.trials[3].reason and any(trial.same_as is not None for trial in record.trials)


def test_the_file_is_what_it_is_documented_to_be(tmp_path):
    content = json.loads(export_study(ran(), tmp_path / "study.json").read_text())
    assert set(content) == {"format", "space", "direction", "trials"} and content["format"] == 1
    trial = content["trials"][0]
    assert set(trial) == {"number", "state", "values", "architecture", "digest", "parameters", "macs"}
    assert content["trials"][3]["values"] is None and "reason" in content["trials"][3]


def change(**fields):
    return lambda content: content | fields


def change_trial(**fields):
    def changed(content):
        return content | {"trials": [content["trials"][0] | fields, *content["trials"][1:]]}

    return changed


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change(format=2), "format 2"),
        (change(space={"depth": []}), "depth"),
        (change(space={"width": [1]}), "width"),
        (change(space=None), "not a study"),
        (change(direction=[]), "direction"),
        (change(direction=["upwards"]), "upwards"),
        (change(trials=3), "not a study"),
        (change(trials=[3]), "not a study"),
        (change_trial(number=1), "one number twice"),
        (change_trial(number=-1), "trial -1"),
        (change_trial(state="best"), "'best'"),
        (change_trial(values=None), "is complete with the values None"),
        (change_trial(values=[0.1, 0.2]), "with the values"),
        (change_trial(values=["0.9"]), "with the values"),
        (change_trial(state="fail"), "is fail with the values"),
        (change_trial(macs=-5), "count"),
        (change_trial(parameters="7"), "count"),
        (change_trial(digest=7), "no text"),
        (change_trial(architecture={"blocks": []}), "without blocks"),
        (change_trial(luck=7), "luck"),
        (lambda content: [], "not a study"),
        (lambda content: {}, "'format' is missing"),
    ],
)
def test_another_file_is_no_study(spoil, words, tmp_path):
    path = export_study(ran(), tmp_path / "study.json")
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(SearchError, match=words):
        read_study(path)


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"format": NaN}', "[" * 100_000, "\ud800"])
def test_what_is_no_json_is_no_study(text, tmp_path):
    path = tmp_path / "study.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SearchError, match="not a study"):
        read_study(path)


def test_files_that_cannot_be_are_sentences(tmp_path):
    with pytest.raises(SearchError, match="cannot be read"):
        read_study(tmp_path / "absent.json")
    with pytest.raises(SearchError, match="cannot be written"):
        export_study(ran(trials=1), tmp_path / "absent" / "study.json")
    with pytest.raises(SearchError, match=r"which space it searches.*objective"):
        export_study(optuna.create_study(), tmp_path / "study.json")
