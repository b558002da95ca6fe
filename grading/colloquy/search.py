"""Computed questions on architecture search: spaces, fronts, and one step of each search method."""

import math

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MADE, MEASURES, Computed, Problem


def space_size(draw: Draw) -> Problem:
    layers, widths, kernels, skips = draw.integer(3, 6), draw.integer(3, 6), draw.integer(2, 4), draw.integer(2, 3)
    answer = (widths * kernels) ** layers * skips
    return Problem(
        {"layers": layers, "widths": widths, "kernels": kernels, "skips": skips},
        f"A search space has {layers} layers, each with one of {widths} widths and one of {kernels} kernel sizes, and one of "
        f"{skips} heads for the whole network. How many architectures does it hold?",
        answer,
        f"({widths}·{kernels})^[{layers}] · {skips} = {answer}.",
        {
            "multiplied by the layers": widths * kernels * layers * skips,
            "added the choices": (widths + kernels) ** layers * skips,
            "chose a head for every layer": (widths * kernels * skips) ** layers,
        },
    )


def _models(draw: Draw) -> tuple[tuple[float, float], ...]:
    """Six (accuracy in %, latency in ms), all different in both."""
    accuracies = draw.shuffled([draw.integer(5 * i, 5 * i + 4) for i in range(6)])
    latencies = draw.shuffled([draw.integer(4 * i, 4 * i + 3) for i in range(6)])
    return tuple((round(70 + a * 0.8, 1), round(3 + t * 0.7, 1)) for a, t in zip(accuracies, latencies, strict=True))


def pareto_front(draw: Draw) -> Problem:
    models = _models(draw)
    front = [
        i
        for i, (a, t) in enumerate(models, 1)
        if not any(other != (a, t) and other[0] >= a and other[1] <= t for other in models)
    ]
    while not 2 <= len(front) <= 4:
        models = _models(draw)
        front = [
            i
            for i, (a, t) in enumerate(models, 1)
            if not any(other != (a, t) and other[0] >= a and other[1] <= t for other in models)
        ]
    ranked = sorted(range(1, 7), key=lambda i: models[i - 1])
    header = ("model", "accuracy, %", "latency, ms")
    return Problem(
        {"models": models},
        "Which models are on the Pareto front of high accuracy and low latency? Give the sum of their numbers.",
        sum(front),
        f"Not dominated are the models {listed(front)}, sum {sum(front)}.",
        {
            "gave the dominated ones": 21 - sum(front),
            "took the most accurate as many": sum(ranked[-len(front) :]),
            "left out the most accurate": sum(front) - ranked[-1],
        },
        (header, *((str(i), str(a), str(t)) for i, (a, t) in enumerate(models, 1))),
    )


def hypervolume(draw: Draw) -> Problem:
    t = sorted(draw.shuffled(range(2, 18))[:3])
    e = sorted(draw.shuffled(range(3, 28))[:3], reverse=True)
    points = tuple(zip(t, e, strict=True))
    time, error = 20, 30
    answer = (time - t[0]) * (error - e[0]) + (time - t[1]) * (e[0] - e[1]) + (time - t[2]) * (e[1] - e[2])
    return Problem(
        {"points": points, "reference": (time, error)},
        f"A search found the front (latency in ms, error in %): {', '.join(map(listed, points))}. Both are to be small. What is "
        f"its hypervolume with the reference point {listed((time, error))}?",
        answer,
        f"{time - t[0]}·{error - e[0]} + {time - t[1]}·{e[0] - e[1]} + {time - t[2]}·{e[1] - e[2]} = {answer}.",
        {
            "counted overlaps again": sum((time - a) * (error - b) for a, b in points),
            "took the best of both": (time - t[0]) * (error - e[2]),
            "took the largest box": max((time - a) * (error - b) for a, b in points),
        },
    )


def annealing_acceptance(draw: Draw) -> Problem:
    now, worse, temperature = draw.decimal(4, 9, 1), draw.decimal(0.3, 2.5, 1), draw.decimal(0.4, 2.5, 1)
    new = round(now + worse, 1)
    answer = math.exp(-worse / temperature)
    return Problem(
        {"now": now, "new": new, "temperature": temperature},
        f"Simulated annealing stands at an architecture with {now} % error; the neighbour has {new} %. With which probability "
        f"is it accepted at temperature {temperature} (in % of error)?",
        answer,
        f"exp(−({new} − {now}) / {temperature}) = {show(answer)}.",
        {
            "multiplied by the temperature": math.exp(-worse * temperature),
            "gave the complement": 1 - answer,
            "took the ratio of the errors": now / new,
        },
    )


def cooling_steps(draw: Draw) -> Problem:
    start, end, factor = draw.integer(5, 50), draw.decimal(0.1, 0.9, 1), draw.choice((0.8, 0.85, 0.9, 0.95))
    exact = math.log(start / end) / -math.log(factor)
    while not 0.1 < exact % 1 < 0.9:
        start = draw.integer(5, 50)
        exact = math.log(start / end) / -math.log(factor)
    return Problem(
        {"start": start, "end": end, "factor": factor},
        f"Simulated annealing starts at temperature {start} and multiplies it by {factor} after every step. After how many "
        f"steps is it below {end} for the first time?",
        math.ceil(exact),
        f"ln({end}/{start}) / ln {factor} = {show(exact)}, rounded up {math.ceil(exact)}.",
        {"rounded down": math.floor(exact), "cooled linearly": math.ceil((1 - end / start) / (1 - factor))},
    )


def swarm_step(draw: Draw) -> Problem:
    x, v, own, best = draw.integer(10, 60), draw.integer(1, 9) * draw.choice((-1, 1)), draw.integer(10, 60), draw.integer(10, 60)
    inertia, c = draw.decimal(0.4, 0.9, 1), draw.choice((1.5, 2.0))
    r = draw.decimals(2, 0.1, 0.9, 1)
    speed = inertia * v + c * r[0] * (own - x) + c * r[1] * (best - x)
    return Problem(
        {"x": x, "v": v, "own": own, "best": best, "inertia": inertia, "c": c, "r": r},
        f"A particle is at x = {x} with velocity {v}; its own best is at {own}, the swarm's at {best}. Inertia is "
        f"{inertia}, c_[1] = c_[2] = {c}, and the random numbers are r_[1] = {r[0]} (own) and r_[2] = {r[1]} (swarm). What is "
        "its new position?",
        x + speed,
        f"v' = {inertia}·({v}) + {c}·{r[0]}·({own} − {x}) + {c}·{r[1]}·({best} − {x}) = {show(speed)}, x' = {show(x + speed)}.",
        {
            "gave the velocity": speed,
            "left out the inertia": x + speed - inertia * v + v,
            "swapped the random numbers": x + inertia * v + c * r[1] * (own - x) + c * r[0] * (best - x),
            "turned the differences": x + 2 * inertia * v - speed,
        },
    )


def pheromone(draw: Draw) -> Problem:
    level, rate = draw.decimal(0.5, 4.0, 1), draw.decimal(0.1, 0.4, 1)
    errors = (draw.choice((4, 5, 8, 10)), draw.choice((16, 20, 25)))
    answer = (1 - rate) * level + sum(1 / error for error in errors)
    return Problem(
        {"level": level, "rate": rate, "errors": errors},
        f"An edge of an ant colony's graph of operations has pheromone {level}; it evaporates at rate ρ = {rate}. Two ants used "
        f"the edge and found networks with {errors[0]} % and {errors[1]} % error; each deposits 1 / error (in %). What is the "
        "new pheromone?",
        answer,
        f"(1 − {rate})·{level} + 1/{errors[0]} + 1/{errors[1]} = {show(answer)}.",
        {
            "kept the part that evaporates": rate * level + sum(1 / error for error in errors),
            "let the deposits evaporate": (1 - rate) * (level + sum(1 / error for error in errors)),
            "forgot evaporation": level + sum(1 / error for error in errors),
        },
    )


def ant_choice(draw: Draw) -> Problem:
    trail, insight = draw.decimals(3, 0.3, 3.0, 1), draw.decimals(3, 0.2, 2.0, 1)
    beta = draw.integer(2, 3)
    weights = [t * h**beta for t, h in zip(trail, insight, strict=True)]
    plain = [t * h for t, h in zip(trail, insight, strict=True)]
    answer = weights[0] / sum(weights)
    return Problem(
        {"trail": trail, "insight": insight, "beta": beta},
        f"An ant chooses among three kernels with pheromones {listed(trail)} and heuristic values {listed(insight)}, with α = 1 "
        f"and β = {beta}. With which probability does it take the first?",
        answer,
        f"τ·η^[{beta}] is {listed([show(w) for w in weights])}; {show(weights[0])} / {show(sum(weights))} = {show(answer)}.",
        {"took β = 1": plain[0] / sum(plain), "took the pheromone alone": trail[0] / sum(trail)},
    )


def halving_budget(draw: Draw) -> Problem:
    rate, rounds, epochs = draw.choice((2, 3)), draw.integer(3, 4), draw.integer(1, 6)
    candidates = rate**rounds * draw.integer(1, 3)
    answer = epochs * candidates * (rounds + 1)
    return Problem(
        {"rate": rate, "rounds": rounds, "epochs": epochs, "candidates": candidates},
        f"Successive halving trains {candidates} configurations for {epochs} epoch{'s' if epochs > 1 else ''}, then keeps the "
        f"best 1/{rate} and trains them for {rate} times as many further epochs as in the round before, {rounds} times over. How "
        "many epochs are trained in all?",
        answer,
        f"Each of the {rounds} + 1 rounds costs {candidates}·{epochs} epochs, together {answer}.",
        {"forgot the first round": answer - epochs * candidates, "trained all to the end": candidates * epochs * rate**rounds},
    )


def tournament(draw: Draw) -> Problem:
    population, size = draw.choice((20, 25, 40, 50, 64, 100)), draw.integer(3, 8)
    answer = size / population
    repeated = 1 - (1 - 1 / population) ** size
    return Problem(
        {"population": population, "size": size},
        f"Evolutionary search picks parents by tournaments of {size} out of {population}, drawn with repetition. With which "
        "probability is the best individual the winner? Give at least 4 significant digits.",
        repeated,
        f"1 − (1 − 1/{population})^[{size}] = {show(repeated)}: it wins when it is drawn at all.",
        {"drew without repetition": answer, "drew once": 1 / population, "gave the complement": 1 - repeated},
    )


QUESTIONS = (
    Computed("search-space-size", "search", "l06", 7, KNOWS, 1, space_size, whole=True),
    Computed("pareto-front", "search", "l06", 5, MEASURES, 1, pareto_front, whole=True),
    Computed("hypervolume", "search", "l06", 5, MEASURES, 2, hypervolume, whole=True),
    Computed("annealing-acceptance", "search", "l06", 6, KNOWS, 1, annealing_acceptance, "fraction"),
    Computed("cooling-steps", "search", "l06", 6, KNOWS, 2, cooling_steps, whole=True),
    Computed("swarm-step", "search", "l06", 6, KNOWS, 2, swarm_step),
    Computed("pheromone", "search", "l06", 6, KNOWS, 1, pheromone),
    Computed("ant-choice", "search", "l06", 6, KNOWS, 2, ant_choice, "fraction"),
    Computed("halving-budget", "search", "l06", 7, MADE, 2, halving_budget, "epochs", True),
    Computed("tournament", "search", "l06", 5, KNOWS, 2, tournament, "fraction", relative=0.001),
)
