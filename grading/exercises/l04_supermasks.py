"""The reference solutions of the exercises of l04_supermasks, from the definitions of their inputs in projectkit.submit."""

import itertools
import math

import numpy as np

from projectkit.types import Arrays


def _drawn_network(inputs: Arrays) -> Arrays:
    stream = np.random.Generator(np.random.PCG64(int(inputs["seed"])))
    units = inputs["units"].tolist()
    kernels = []
    for width, after in itertools.pairwise(units):
        values = [stream.standard_normal(after, dtype=np.float32) for _ in range(width)]  # row by row is the same stream
        kernels.append(np.array(values, dtype=np.float64) * math.sqrt(2 / width))
    return {"first": kernels[0][0], "last": kernels[-1][-1]}


def _ensemble(inputs: Arrays) -> Arrays:
    masks, losses = inputs["masks"].astype(np.float64), inputs["losses"]
    success = (losses.max() - losses) / (losses.max() - losses.min())
    columns = np.column_stack([masks, np.ones(len(masks))])
    shares = np.linalg.lstsq(columns, success, rcond=None)[0][:-1]
    return {"success": success, "shares": shares, "order": np.argsort(shares)}


def _climb(inputs: Arrays) -> Arrays:
    theta, masks, scores = inputs["theta"], inputs["masks"].astype(np.float64), inputs["scores"]
    probability = np.array([1 / (1 + math.exp(-value)) for value in theta])
    count = len(scores)
    others = (scores.sum() - scores) / (count - 1)
    baselined = np.einsum("mu,m->u", masks - probability, scores - others) / count
    return {
        "probability": probability,
        "plain": np.einsum("mu,m->u", masks - probability, scores) / count,
        "baselined": baselined,
        "stepped": theta + 2 * baselined,
    }


def _dense_rest(inputs: Arrays) -> Arrays:
    masks = (inputs["mask_1"], inputs["mask_2"])
    whole = [int(inputs["inputs"]), *map(len, masks), int(inputs["classes"])]
    left = [whole[0], *(int(mask.sum()) for mask in masks), whole[-1]]
    before, after = (sum(a * b for a, b in itertools.pairwise(units)) for units in (whole, left))
    return {"kept": np.array(left[1:3]), "parameters": np.array(after), "removed": np.array(1 - after / before)}


SOLUTIONS = {
    "drawn_network": _drawn_network,
    "ensemble": _ensemble,
    "climb": _climb,
    "dense_rest": _dense_rest,
}
