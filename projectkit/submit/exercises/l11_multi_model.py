"""The inputs of the exercises of l11_multi_model, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def utilization(rng: np.random.Generator) -> Arrays:
    """Five models, each alone on a core of its own: `seconds` (5,) of a call, `rate` (5,) of its requests in 1/s, which come as a
    Poisson stream, and `deadline` (5,) in seconds, all float64. A call answers one request; s is `seconds`, ρ its utilization.

    The mean wait before a call of an M/D/1 queue is ρ · s / (2 · (1 − ρ)). Answers:

        utilization (5,)   rate · s
        latency (5,)       the mean wait + s
        highest (5,)       the rate at which the mean latency is exactly the deadline: with w = deadline − s, 2w / (s · (s + 2w))
        cores () integer   the fewest cores that have more time than all five models together need: the sum of the utilizations,
                           rounded down, plus 1
    """
    seconds = np.round(rng.uniform(0.002, 0.08, 5), 4)
    return {
        "seconds": seconds,
        "rate": np.round(rng.uniform(0.2, 0.9, 5) / seconds, 2),
        "deadline": np.round(seconds * rng.uniform(1.3, 5.0, 5), 4),
    }


def two_orders(rng: np.random.Generator) -> Arrays:
    """Fourteen requests to one process, float64: `arrival` (14,) in seconds, increasing, `seconds` (14,) that its call takes, and
    `deadline` (14,) in seconds from its arrival.

    Whenever the process is free it takes one of the requests that have arrived, and if there is none it waits for the next; a
    call is not interrupted. "fifo" takes the earliest arrival, "edf" the smallest arrival + deadline. Answers:

        fifo (14,), edf (14,)   the latency of each request, from its arrival to its answer, in the order of the inputs
        missed (2,) integer     how many have a latency above their deadline, under fifo and under edf
    """
    seconds = np.round(np.where(rng.random(14) < 0.3, rng.uniform(0.3, 0.6, 14), rng.uniform(0.02, 0.08, 14)), 3)
    arrival = np.cumsum(rng.exponential(seconds.mean() / 1.1, 14)) + 0.001 * np.arange(14)
    return {
        "arrival": np.round(arrival, 3) + 1e-5 * np.arange(1, 15),  # so that no two times are equal
        "seconds": seconds,
        "deadline": np.round(seconds * rng.uniform(2.0, 6.0, 14) + 0.05, 3) + 5e-4,
    }


def fairness(rng: np.random.Generator) -> Arrays:
    """Three models in one run: `latency` (3, 80) float64 in seconds, a row a model, and `deadline` (3,); a `quantile` () between
    0.9 and 1. Answers:

    in_time (3,)   the share of each model's requests with a latency of at most its deadline
    p90 (3,)       np.quantile(row, 0.9), linear interpolation
    fewest ()      from how many requests on the `quantile` has a 95 % interval: the least whole n with quantile^n ≤ 0.025
    jain ()        Jain's index of in_time: (Σx)² / (3 · Σx²)
    missed ()      the share of all 240 requests with a latency above their deadline
    """
    latency = np.round(rng.lognormal(np.log(rng.uniform(0.005, 0.05, (3, 1))), 0.7, (3, 80)), 5)
    deadline = np.round(np.median(latency, axis=1) * rng.uniform(0.8, 4.0, 3), 5)
    return {"latency": latency, "deadline": deadline, "quantile": np.array(rng.integers(900, 996) / 1000)}


def interference(rng: np.random.Generator) -> Arrays:
    """Four models: `alone` (4,) float64, seconds of a call when nothing else runs, and `slower` (4, 4) float64: how many times
    slower model i is while j runs; 1 on the diagonal. While several run, their slowdowns multiply. Answers:

        shared (4,)        seconds of a call of each while all four run
        throughput ()      the system throughput: Σ alone / shared
        turnaround ()      the average normalized turnaround time: the mean of shared / alone
        pairs (3,)         the models two by two, one pair after the other: the sum over the four of alone / shared with only the
                           partner running, for the pairings {0, 1} {2, 3} · {0, 2} {1, 3} · {0, 3} {1, 2}
        best () integer    the pairing, counted from 0, with the largest of these
    """
    slower = np.round(rng.uniform(1.0, 2.2, (4, 4)), 3)
    np.fill_diagonal(slower, 1.0)
    return {"alone": np.round(rng.uniform(0.001, 0.05, 4), 4), "slower": slower}


def placement(rng: np.random.Generator) -> Arrays:
    """Four models on two cores: `seconds` (4,) of a call and `deadline` (4,) in seconds from the arrival, float64; 30 requests:
    `arrival` (30,) float64 in seconds, increasing, and `model` (30,) int64.

    Plan a, from 0 to 15, puts model i on the core that is bit i of a: (a >> i) & 1. A core answers its requests one by one in the
    order of their arrivals; the cores do not disturb each other. Answers:

        misses (16,) integer   how many requests have a latency above their deadline under each plan
        best () integer        the plan with the fewest; of equal ones the smallest number
        cores (4,) integer     the core of each model in that plan
        worst ()               the largest latency / deadline of a request in that plan
    """
    seconds = np.round(rng.permutation([0.02, 0.05, 0.12, 0.4]) * rng.uniform(0.7, 1.3, 4), 4)
    model = rng.choice(4, 30, p=(1 / seconds) / (1 / seconds).sum())
    model[rng.choice(30, 4, replace=False)] = np.arange(4)  # each has a request
    gaps = rng.exponential(seconds[model].mean() / 1.6, 30)
    return {
        "seconds": seconds,
        "deadline": np.round(seconds * rng.uniform(1.5, 4.0, 4), 4) + 5e-5,  # so that no latency is equal to it
        "arrival": np.round(np.cumsum(gaps) + 0.0001 * np.arange(30), 4) + 1e-6 * np.arange(30),
        "model": model.astype(np.int64),
    }


INPUTS = {
    "utilization": utilization,
    "two_orders": two_orders,
    "fairness": fairness,
    "interference": interference,
    "placement": placement,
}
