"""The inputs of the exercises of l16_robustness, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def attack_steps(rng: np.random.Generator) -> Arrays:
    """Three images `x` (3, 4, 4) float64 in [0, 1]; where an attack stands, `point` (3, 4, 4), and the gradient of the loss
    there, `gradient` (3, 4, 4), none of it 0; `epsilon`, `step` and `radius` (). All of the point lies in the ball and in [0, 1].

    Answers, each (3, 4, 4):

        fgsm   one step of epsilon from x along the sign of this gradient, clipped to [0, 1]
        pgd    one step of `step` from the point along the sign, then back to |x′ − x| ≤ epsilon and to [0, 1]
        l2     one step of `step` from the point along each image's gradient divided by its Euclidean length; clipped to [0, 1];
               then, where it is farther from x than `radius` (Euclidean), the place on the straight line to x at that distance
    """
    x = np.round(rng.uniform(0.0, 1.0, (3, 4, 4)), 3)
    epsilon, signs = np.round(rng.uniform(0.08, 0.15), 3), rng.choice([-1.0, 1.0], (3, 4, 4))
    return {
        "x": x,
        "point": np.clip(np.round(x + rng.uniform(-epsilon, epsilon, (3, 4, 4)), 4), x - epsilon, x + epsilon).clip(0, 1),
        "gradient": np.round(signs * rng.uniform(0.01, 2.0, (3, 4, 4)), 3),
        "epsilon": np.array(epsilon),
        "step": np.array(np.round(0.6 * epsilon, 4)),
        "radius": np.array(np.round(rng.uniform(1.5, 2.0) * epsilon, 3)),
    }


def attack_losses(rng: np.random.Generator) -> Arrays:
    """`logits` (8, 6) float64 and `labels` (8,) int64. z₍ₖ₎ is the k-th largest logit of an image, y its label. Answers:

    cross_entropy (8,)   −ln softmax(z)_y
    lead (8,)            z_y − the largest of the others
    ratio (8,)           −lead / (z₍₁₎ − z₍₃₎)
    fooled () integer    how many images the network gets wrong
    scaled (8,)          the ratio of the same images when all logits are multiplied by 1000
    """
    logits = np.round(rng.normal(0.0, 3.0, (8, 6)), 3) + 1e-5 * np.arange(6)  # no two of a row are equal
    top = logits.argmax(axis=1)
    wrong = rng.permutation(8) < rng.integers(2, 5)
    return {"logits": logits, "labels": np.where(wrong, (top + rng.integers(1, 6, 8)) % 6, top).astype(np.int64)}


def certificates(rng: np.random.Generator) -> Arrays:
    """Randomized smoothing: of `n` () int64 noisy copies of each of twelve images, the network named the most frequent class
    `hits` (12,) int64 times; `correct` (12,) int64 is 1 where that class is the label. The noise had the standard deviation
    `sigma` (); the bound may be wrong with a probability of `alpha` (); `asked` () is a radius. Answers:

        bound (12,)     the p for which at least so many hits have the probability alpha: the lower end of a one-sided
                        Clopper-Pearson interval, the alpha quantile of the beta distribution with hits and n − hits + 1
        radius (12,)    sigma · Φ⁻¹(bound), 0 where the bound is 1/2 or less; Φ⁻¹ is the quantile of the standard normal
        certified ()    the share of the twelve images that are correct and have a radius above `asked`
        most ()         the largest radius that n copies can ever prove: that of n hits
    """
    n = int(rng.choice([200, 500, 1000]))
    shares = np.concatenate([rng.uniform(0.3, 0.52, 3), rng.uniform(0.6, 0.97, 6), rng.uniform(0.98, 1.0, 3)])
    sigma = np.round(rng.uniform(0.2, 0.6), 2)
    return {
        "n": np.array(n, np.int64),
        "hits": np.minimum(n, np.round(n * rng.permutation(shares))).astype(np.int64),
        "correct": (rng.random(12) < 0.8).astype(np.int64),
        "sigma": np.array(sigma),
        "alpha": np.array(0.001),
        "asked": np.array(np.round(rng.uniform(0.3, 0.8) * sigma, 4)),
    }


def corruption_errors(rng: np.random.Generator) -> Arrays:
    """Errors in % of two networks under six corruptions at severities 1 to 5, `errors` and `reference` (6, 5) float64, and
    without any, `clean` and `clean_reference` (). Answers:

        ce (6,)             of each corruption, 100 · the sum of the errors over the severities / that of the reference's
        mce ()              their mean
        relative (6,)       the same of what the corruption adds: 100 · Σ (errors − clean) / Σ (reference − clean_reference)
        relative_mce ()     their mean
        worst () integer    the number of the corruption with the largest ce, counted from 0
    """
    clean, clean_reference = rng.uniform(1.0, 4.0, 2)
    growth = np.sort(rng.uniform(1.0, 40.0, (2, 6, 5)), axis=2)
    return {
        "errors": np.round(clean + rng.uniform(0.4, 1.2, (6, 1)) * growth[0], 2),
        "reference": np.round(clean_reference + growth[1], 2),
        "clean": np.array(np.round(clean, 2)),
        "clean_reference": np.array(np.round(clean_reference, 2)),
    }


def transferred(rng: np.random.Generator) -> Arrays:
    """Four networks and forty images. `clean` (4, 40) int64: 1 where a network is right about an image; `attacked` (4, 4, 40): 1
    where network t is right about the image that was made to fool network s, in [s, t]. Answers:

        matrix (4, 4)          the share of the images about which t is right both before and after the attack on s, in [s, t]
        together (4,)          the share about which t is right before and after all four attacks
        source (4,) integer    for each t, the other network (not t) whose images leave it least; no two leave equally much
        masked () integer      the only network that another's images hurt more than its own do
    """
    clean, masked = rng.random((4, 40)) < 0.8, int(rng.integers(4))
    clean[:, :30] = True  # the attacks differ on these
    stands = rng.permuted(np.tile([12, 17, 22, 27], (4, 1)), axis=1)  # of these thirty, in [t, s]
    for target, counts in enumerate(stands):
        own = counts.argmax() if target == masked else counts.argmin()
        counts[[target, own]] = counts[[own, target]]
    attacked = rng.random((4, 4, 40)) < 0.5
    attacked[..., :30] = rng.permuted(np.broadcast_to(np.arange(30), (4, 4, 30)), axis=2) < stands.T[..., None]
    attacked[..., 30:] &= ~clean[None, :, 30:]  # right by luck, which does not count
    return {"clean": clean.astype(np.int64), "attacked": attacked.astype(np.int64)}


INPUTS = {
    "attack_steps": attack_steps,
    "attack_losses": attack_losses,
    "certificates": certificates,
    "corruption_errors": corruption_errors,
    "transferred": transferred,
}
