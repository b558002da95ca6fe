"""Checks of l00_measurement."""

import numpy as np
from scipy.stats import binomtest

from checks import close, reached, right

CONVOLUTION, DEPTHWISE, DENSE = 0, 1, 2


def count(student) -> None:
    """student(kind, height, width, channels_in, channels_out, kernel, stride) -> (parameters, macs)"""
    cases = [
        (
            "a dense layer 300 → 10",
            (DENSE, 1, 1, 300, 10, 1, 1),
            (3010, 3000),
            "inputs · outputs weights, one bias per output.",
        ),
        (
            "a 3×3 convolution 1 → 32 on 8×8",
            (CONVOLUTION, 8, 8, 1, 32, 3, 1),
            (320, 18432),
            "Each of the 8·8 positions multiplies k·k·c_in·c_out numbers; biases only add, so they are parameters but no MACs.",
        ),
        (
            "a 5×5 convolution 3 → 8 on 9×9, stride 2",
            (CONVOLUTION, 9, 9, 3, 8, 5, 2),
            (608, 15000),
            "With 'same' padding the output has ceil(9 / 2) = 5 rows and columns.",
        ),
        (
            "a depthwise 3×3 convolution of 64 channels on 16×16",
            (DEPTHWISE, 16, 16, 64, 64, 3, 1),
            (640, 147456),
            "A depthwise convolution has one k·k filter per channel and does not mix channels.",
        ),
    ]
    for what, arguments, expected, hint in cases:
        got = tuple(int(number) for number in student(*arguments))
        assert got == expected, f"{what}: (parameters, macs) should be {expected}, you have {got}. {hint}"
    right("your counts agree with hand counts of four layers. Next they are compared with the file's own graph.")


def median_interval(student) -> None:
    """student(samples) -> (median, low, high)"""
    samples = np.array([5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 10.0])
    median, low, high = student(samples)
    close(median, 5.5, "The median of 1 … 10", "Use np.median: it takes the mean of the two in the middle.")
    assert (low, high) == (2.0, 9.0), (
        f"The interval of the median of 1 … 10 is [2, 9], you have [{low}, {high}]. Sort first; scipy.stats.binom.ppf gives the "
        "smallest k with P(B ≤ k) ≥ p; low is x(ppf(0.025)), high is x(ppf(0.975) + 1), and x(1) is sorted[0]."
    )
    covered = 0
    for seed in range(300):
        _, low, high = student(np.random.default_rng(seed).exponential(1.0, 100))
        covered += low <= np.log(2) <= high
    assert covered >= 275, f"Of 300 intervals only {covered} held the true median; 95 % should. Look at the two positions again."
    right(f"{covered} of 300 intervals from skewed data held the true median ({covered / 3:.0f} %, promised at least 95 %).")


def interleave(student) -> None:
    """student(run_a, run_b, clock, rounds) -> (rounds, 2) seconds"""

    class Machine:
        """A simulated machine that gets slower while it works, so that the right answer is known."""

        def __init__(self):
            self.now, self.order = 0.0, []

        def run(self, name: str, cost: float) -> None:
            self.order.append(name)
            self.now += cost * (1 + self.now)

    machine = Machine()
    times = np.asarray(
        student(lambda: machine.run("a", 1e-3), lambda: machine.run("b", 5e-4), lambda: machine.now, 200), dtype=np.float64
    )
    assert times.shape == (200, 2), (
        f"Return an array (rounds, 2) = (200, 2), a column per model; the shape of yours is {times.shape}."
    )
    first = "".join(machine.order[:6])
    assert sorted(machine.order[:2]) == ["a", "b"], f"Every round runs both once; your first six calls were {first}."
    ratio = np.median(times[:, 1]) / np.median(times[:, 0])
    assert abs(ratio - 0.5) < 0.02, (
        f"B does half of A's work, but your ratio is {ratio:.2f}: the machine's drift affected only one of them. "
        "Time A and B once in every round; start the clock just before each call."
    )
    right(f"on a machine that slows down while it works your ratio is {ratio:.3f}; the truth is 0.5.")


def wilson(student) -> None:
    """student(correct, total) -> (low, high)"""
    for correct, total in ((81, 100), (360, 360), (0, 10)):
        expected = binomtest(correct, total).proportion_ci(method="wilson")
        low, high = student(correct, total)
        close(
            [low + 1, high + 1],  # compared as 1 + x: a lower end of 1e-17 is as good as 0
            [expected.low + 1, expected.high + 1],
            f"{correct} of {total} right",
            "The numbers shown are 1 + low and 1 + high. Look at the formula again: z²/2n and z²/4n² are inside, "
            "and both the center and the half width are divided by 1 + z²/n.",
            tolerance=1e-5,
        )
    right("note that 360 of 360 right does not mean 100 %: the interval begins at 98.9 %.")


def mcnemar(student) -> None:
    """student(right_a, right_b) -> (only A is right, only B is right, p)"""
    for only_a, only_b in ((4, 18), (7, 3), (5, 5), (0, 0)):
        counts = [60, only_a, only_b, 9]
        right_a, right_b = np.repeat([[True, True, False, False], [True, False, True, False]], counts, axis=1)
        found = student(right_a, right_b)
        assert len(found) == 3, f"Return three numbers: only A right, only B right, p; you return {len(found)}."
        what = f"Only A right {only_a} times, only B {only_b} times"
        hint = "An image counts where exactly one of the two is right: right_a & ~right_b, and the reverse."
        close(found[:2], [only_a, only_b], what, hint)
        expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
        hint = "Twice P(B ≤ the smaller of both), B ~ Binomial(their sum, 1/2), and never more than 1."
        close(found[2], expected, f"{what}: p", hint)
    right("images that both get right, or both wrong, do not count.")


def joules(student) -> None:
    """student(microjoules, max_energy_range_uj) -> joules"""
    close(student(np.array([0, 1_000_000, 3_000_000]), 10_000_000), 3.0, "Readings 0, 1, 3 MµJ", "1 J = 1 000 000 µJ.")
    close(
        student(np.array([8_000_000, 9_500_000, 500_000, 2_000_000]), 10_000_000),
        4.0,
        "Readings 8, 9.5, 0.5, 2 MµJ of a counter that begins again after 10",
        "A step down is a wrap-around: add max_energy_range_uj to that step.",
    )
    right("a counter that begins again at 0 no longer gives negative energy.")


def small_model(profile, baseline) -> None:
    """The profiles of the model to hand in and of the baseline."""
    work = profile.values["macs"].value / baseline.values["macs"].value
    quality = profile.values["accuracy"].value
    assert work <= 0.25, f"Your model needs {work:.0%} of the baseline's multiply-accumulates; the goal is 25 %. Narrow it."
    reached(
        quality >= 0.90,
        f"Your model is right on {quality:.1%} of the validation data; the goal is 90 %. Train longer or widen.",
        quality,
    )
    right(f"{work:.1%} of the work, {quality:.1%} right on validation data. Ship it.")
