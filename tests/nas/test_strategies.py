"""What makes each strategy the one that its name says."""

import collections
import functools
import itertools
import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from projectkit.errors import ModelError
from projectkit.nas import SAMPLERS, genes, history, table
from projectkit.nas.annealing import annealing, current
from projectkit.nas.ants import START, pheromones
from projectkit.nas.evolution import alive, evolution
from projectkit.nas.model_based import gp
from projectkit.nas.reinforce import probabilities, reinforce
from projectkit.nas.swarm import swarm

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = {"x": FloatDistribution(-5, 5), "n": IntDistribution(0, 20), "kind": CategoricalDistribution(("a", "b", "c"))}


def loss(trial):
    x, n, kind = (
        trial.suggest_float("x", -5, 5),
        trial.suggest_int("n", 0, 20),
        trial.suggest_categorical("kind", ("a", "b", "c")),
    )
    return (x - 1) ** 2 / 25 + abs(n - 13) / 10 + {"a": 0.3, "b": 0.0, "c": 0.5}[kind]


def ran(sampler, objective=loss, trials=40, **options):
    study = optuna.create_study(sampler=sampler, **options)
    study.optimize(objective, n_trials=trials)
    return study


def seen(study, space=SPACE):
    return history.of(study, space, len(study.trials)).seen


def changed(first, second):
    return [name for name in first if first[name] != second[name]]


def test_annealing_at_no_temperature_is_hill_climbing():
    """Step by step: the proposal is the best so far with one gene changed; our own hill climber stands at the same places."""
    cold, frozen = (ran(annealing(SPACE, seed=3, temperature=t)) for t in (0.0, 1e-12))
    assert [t.params for t in cold.trials] == [t.params for t in frozen.trials]
    here = min(cold.trials[:5], key=lambda trial: trial.value)
    for trial in cold.trials[5:]:
        assert len(changed(here.params, trial.params)) == 1
        here = trial if trial.value <= here.value else here


def test_annealing_takes_worse_steps_while_it_is_hot_and_hardly_any_as_it_cools():
    climbs = np.zeros(2)  # how far it went up in the first 40 steps, and in the last 40 of 120
    for seed in range(5):
        steps = seen(ran(annealing(SPACE, seed=seed), trials=125))
        scores = np.array([current(steps[:count]).score for count in range(5, 126)])
        up = np.maximum(np.diff(scores), 0)
        climbs += up[:40].sum(), up[-40:].sum()
    assert climbs[0] > 10 * climbs[1]


def test_of_an_evolving_population_the_oldest_dies_and_its_size_stays():
    steps = seen(ran(evolution(SPACE, seed=0, population=8), trials=30))
    populations = [alive(steps[:count], 8) for count in range(8, 31)]
    for before, after in itertools.pairwise(populations):
        assert len(after) == 8
        assert {member.number for member in before} - {member.number for member in after} == {min(m.number for m in before)}


def test_a_child_has_a_living_parent_with_one_gene_different():
    steps = seen(ran(evolution(SPACE, seed=0, population=8), trials=30))
    for count in range(8, 30):
        assert any(len(changed(parent.values, steps[count].values)) == 1 for parent in alive(steps[:count], 8))


def test_the_best_of_a_tournament_of_all_is_the_parent():
    steps = seen(ran(evolution(SPACE, seed=1, population=8, tournament=8), trials=30))
    for count in range(8, 30):
        best = min(alive(steps[:count], 8), key=lambda member: member.score)
        assert len(changed(best.values, steps[count].values)) == 1


def test_a_silent_gene_is_not_what_changes():
    def conditional(trial):
        return trial.suggest_int("x", 0, 99) if trial.suggest_categorical("on", (False, True)) else 0.0

    space = {"on": CategoricalDistribution((False, True)), "x": IntDistribution(0, 99)}
    study = ran(evolution(space, seed=0, population=4, tournament=4), conditional, trials=30)
    assert {tuple(trial.params) for trial in study.trials} == {("on",), ("on", "x")}
    parents = seen(study, space)
    for count in range(4, 30):
        parent = min(alive(parents[:count], 4), key=lambda member: member.score)
        assert set(changed(parent.values, parents[count].values)) <= set(parent.active)


def test_pheromones_stay_between_their_start_and_1_and_gather_at_the_best():
    steps = seen(ran(SAMPLERS["ants"](SPACE, seed=0), trials=150))
    for count in range(0, 151, 10):
        for trail in pheromones(SPACE, steps[:count]).values():
            assert (trail >= START).all() and (trail <= 1).all()
    trails = pheromones(SPACE, steps)
    assert trails["kind"][1] > 2 * max(trails["kind"][0], trails["kind"][2])  # "b" is best


ARMS = {"arm": CategoricalDistribution(("bad", "good"))}


def bandit(trial):
    return float(trial.suggest_categorical("arm", ("bad", "good")) == "good")


@pytest.mark.parametrize("seed", range(5))
def test_the_controller_learns_the_better_of_two_arms(seed):
    study = ran(reinforce(ARMS, seed=seed), bandit, 80, direction="maximize")
    chances = [probabilities(ARMS, seen(study, ARMS)[:count])["arm"][1] for count in (0, 20, 80)]
    assert chances[0] == 0.5 < chances[1] < chances[2] and chances[2] > 0.9


def test_a_controller_without_reward_keeps_its_mind_open():
    study = ran(reinforce(ARMS, seed=0), lambda trial: bandit(trial) * 0.0, 40)
    np.testing.assert_allclose(probabilities(ARMS, seen(study, ARMS))["arm"], 0.5)


def test_a_large_entropy_bonus_keeps_the_controller_from_certainty():
    trials = seen(ran(reinforce(ARMS, seed=0), bandit, 80, direction="maximize"), ARMS)
    sure, open_minded = (probabilities(ARMS, trials, entropy=weight)["arm"][1] for weight in (0.0, 2.0))
    assert 0.5 < open_minded < sure


def test_the_controllers_step_is_the_gradient_of_log_p():
    """One update against a difference quotient: reward 0 sets the baseline, then +1 has an advantage of 1."""
    first = history.Seen(0, {"arm": "bad"}, ("arm",), 0.0)
    second = history.Seen(1, {"arm": "good"}, ("arm",), -1.0)
    p = probabilities(ARMS, (first, second), rate=1e-4, entropy=0.0)["arm"]

    def log_p(logits):
        return logits[1] - math.log(sum(math.exp(logit) for logit in logits))

    gradient = np.array([(log_p(np.eye(2)[i] * 1e-6) - log_p(np.zeros(2))) / 1e-6 for i in range(2)])
    expected = np.exp(1e-4 * gradient) / np.exp(1e-4 * gradient).sum()
    np.testing.assert_allclose(p, expected, rtol=1e-7)


def test_a_swarm_moves_by_its_formula():
    """A particle that nothing pulls loses the same share of its speed at each step; one that is only pulled goes to the best."""
    space = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}

    def flat(trial):
        return trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)

    free = ran(swarm(space, seed=0, particles=2, inertia=0.5, to_own=0.0, to_all=0.0), flat, 8)
    for particle in (free.trials[0::2], free.trials[1::2]):
        places = np.array([[trial.params["x"], trial.params["y"]] for trial in particle])
        inside = ((places > 0) & (places < 1)).all(axis=0)
        np.testing.assert_allclose(np.diff(places, axis=0)[1:, inside], 0.5 * np.diff(places, axis=0)[:-1, inside])
        assert inside.any()
    drawn = ran(swarm(space, seed=0, particles=2, inertia=0.0, to_own=0.0), flat, 4)
    worse, better = sorted(drawn.trials[:2], key=lambda trial: trial.value, reverse=True)
    moved = drawn.trials[2 + worse.number]
    for name in space:
        share = (moved.params[name] - worse.params[name]) / (better.params[name] - worse.params[name])
        assert 0 <= share <= 1.5


def test_a_trial_that_was_asked_for_by_hand_is_not_where_the_particle_flew():
    study = optuna.create_study(sampler=swarm(SPACE, seed=0))
    by_hand = {"x": 1.0, "n": 13, "kind": "b"}
    study.enqueue_trial(by_hand)
    study.optimize(loss, n_trials=2)
    first, second = seen(study)
    assert first.values == by_hand and not first.note
    assert set(second.note) == {"x", "v"} and set(second.note["v"]) == set(SPACE)


def test_a_grid_runs_every_combination_once_and_stops():
    space = {"n": IntDistribution(1, 9, step=2), "kind": CategoricalDistribution(("a", "b", "c")), "x": FloatDistribution(0, 1)}

    def objective(trial):
        trial.suggest_categorical("kind", ("a", "b", "c"))
        return trial.suggest_int("n", 1, 9, step=2) + trial.suggest_float("x", 0, 1)

    study = ran(SAMPLERS["grid"](space, seed=0, continuous=4), objective, trials=None)
    cells = collections.Counter(tuple(sorted(trial.params.items())) for trial in study.trials)
    assert len(cells) == 5 * 3 * 4 and set(cells.values()) == {1}


def test_a_grid_does_not_run_what_differs_only_where_nobody_asks():
    space = {"depth": IntDistribution(1, 3)} | {f"size_{i}": CategoricalDistribution((8, 16)) for i in range(3)}

    def objective(trial):
        return sum(trial.suggest_categorical(f"size_{i}", (8, 16)) for i in range(trial.suggest_int("depth", 1, 3)))

    study = ran(SAMPLERS["grid"](space, seed=0), objective, trials=None)
    assert len(study.trials) == 2 + 4 + 8 == len({tuple(sorted(trial.params.items())) for trial in study.trials})


def test_a_grid_by_hand_has_no_loop_to_stop():
    space = {"kind": CategoricalDistribution(("a", "b"))}
    study = optuna.create_study(sampler=SAMPLERS["grid"](space, seed=0))
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, trial.suggest_categorical("kind", ("a", "b")) == "a")
    assert {trial.params["kind"] for trial in study.trials} == {"a", "b"}


@pytest.mark.parametrize(
    ("options", "words"), [({"space": None}, "Give space.genes"), ({"space": SPACE, "continuous": 1}, "least 2")]
)
def test_a_grid_needs_a_space_and_levels(options, words):
    with pytest.raises(ModelError, match=words):
        SAMPLERS["grid"](**options, seed=0)


def test_a_gaussian_process_proposes_nothing_twice_and_takes_only_so_many_trials():
    space = {"n": IntDistribution(0, 5), "kind": CategoricalDistribution(("a", "b", "c"))}

    def objective(trial):
        return (trial.suggest_int("n", 0, 5) - 2) ** 2 + (trial.suggest_categorical("kind", ("a", "b", "c")) != "b")

    study = ran(gp(space, seed=0, startup=4, at_most=8), objective, trials=16)
    later = [tuple(sorted(trial.params.items())) for trial in study.trials]
    assert all(params not in later[:index] for index, params in enumerate(later) if index >= 4)
    assert study.best_value == 0


def test_nsga2_leaves_a_front_near_the_true_one():
    """Two distances on a line: between 0 and 2 everything is best for somebody, beyond it nothing."""
    space = {"x": FloatDistribution(-10, 10)}

    def distances(trial):
        x = trial.suggest_float("x", -10, 10)
        return abs(x), abs(x - 2)

    def inside(name):
        study = ran(SAMPLERS[name](space, seed=0), distances, 120, directions=["minimize", "minimize"])
        for a, b in itertools.permutations(study.best_trials, 2):
            assert not (a.values[0] <= b.values[0] and a.values[1] <= b.values[1] and a.values != b.values)
        return sum(0 <= trial.params["x"] <= 2 for trial in study.trials)

    assert inside("nsga2") > 2 * inside("random")


@pytest.mark.parametrize("member", SAMPLERS)
def test_hyperband_may_look_over_a_samplers_shoulder(member):
    """It shows the sampler a part of the study only."""

    def objective(trial):
        value = loss(trial)
        for epoch in range(1, 5):
            trial.report(value / epoch, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=4)
    study = ran(SAMPLERS[member](SPACE, seed=0), objective, 20, pruner=pruner)
    assert len(study.trials) == 20 and all(trial.state.is_finished() for trial in study.trials)


EVERY_KIND = [
    FloatDistribution(-1, 3),
    FloatDistribution(0, 0.7, step=0.1),
    FloatDistribution(1e-4, 10, log=True),
    IntDistribution(-3, 4),
    IntDistribution(1, 9, step=4),
    IntDistribution(1, 100, log=True),
    CategoricalDistribution((64, 8, 16)),
    CategoricalDistribution((True, False)),
    CategoricalDistribution(("a", None, 3)),
]


@pytest.mark.parametrize("gene", EVERY_KIND, ids=str)
def test_positions_and_values_are_two_ways_to_say_one_thing(gene):
    rng = np.random.default_rng(0)
    for place in [0.0, 1.0, *rng.random(50)]:
        value = genes.value_at(gene, place)
        assert gene._contains(gene.to_internal_repr(value)) and genes.holds(gene, value)
        again = genes.value_at(gene, genes.position_of(gene, value))
        assert again == value or again == pytest.approx(value, rel=1e-9)
        other = genes.neighbour(gene, value, rng)
        assert gene._contains(gene.to_internal_repr(other))
        assert other != value or isinstance(gene, IntDistribution)  # a small step on a logarithmic scale may round back


def test_levels_are_drawn_alike_often_and_logarithms_evenly():
    rng = np.random.default_rng(0)
    counts = collections.Counter(genes.value_at(IntDistribution(1, 9, step=2), place) for place in rng.random(5000))
    assert set(counts) == {1, 3, 5, 7, 9} and max(counts.values()) < 1.2 * min(counts.values())
    logarithms = [math.log10(genes.value_at(FloatDistribution(1e-3, 10, log=True), place)) for place in rng.random(5000)]
    np.testing.assert_allclose(np.quantile(logarithms, [0.25, 0.5, 0.75]), [-2, -1, 0], atol=0.1)


def test_choices_of_numbers_have_neighbours_in_the_order_of_size():
    gene, rng = CategoricalDistribution((64, 8, 32, 16)), np.random.default_rng(0)
    assert {genes.neighbour(gene, 8, rng) for _ in range(50)} == {16}
    assert {genes.neighbour(gene, 32, rng) for _ in range(50)} == {16, 64}


@functools.cache
def best_found(member):
    """On the table, after 50 trials: the validation accuracy of the best, for each of 30 seeds."""
    known, space = table.load(), table.SPACE

    def accuracy(trial):
        return known.lookup(space.sample(trial)).accuracy

    return np.array(
        [ran(SAMPLERS[member](space.genes(), seed=seed), accuracy, 50, direction="maximize").best_value for seed in range(30)]
    )


def half_interval(samples):
    """Half of the 95 % interval of the mean of 30."""
    return 2.05 * samples.std(ddof=1) / math.sqrt(len(samples))


@pytest.mark.parametrize("member", ["evolution", "reinforce", "annealing", "swarm", "ants"])
def test_on_the_table_no_strategy_of_ours_is_worse_than_random(member):
    """benchmarks/nas_regret.py measures all of them; this holds the quick ones."""
    assert best_found(member).mean() >= best_found("random").mean() - half_interval(best_found("random"))


@pytest.mark.parametrize("member", ["tpe", "reinforce"])
def test_on_the_table_what_is_measured_as_better_wins_most_seeds(member):
    """Ties are usual: accuracies are whole numbers of 360 images."""
    wins, losses = ((sign * (best_found(member) - best_found("random")) > 0).mean() for sign in (1, -1))
    assert wins >= 0.6 and wins >= 2 * losses
