"""Computed questions on learning with wrong labels: transition matrices and what accuracy means then."""

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MEASURES, Computed, Problem

KEPT = "A label is kept with probability 1 − r, otherwise replaced by one of the other classes, all alike"


def noisy_accuracy(draw: Draw) -> Problem:
    classes, rate, accuracy = draw.choice((4, 5, 10)), draw.decimal(0.1, 0.45, 2), draw.decimal(0.7, 0.96, 2)
    answer = accuracy * (1 - rate) + (1 - accuracy) * rate / (classes - 1)
    return Problem(
        {"classes": classes, "rate": rate, "accuracy": accuracy},
        f"{KEPT}, with r = {rate} and {classes} classes. A model is right on {accuracy} of the images by clean labels; its "
        "errors are spread alike over the wrong classes and independent of the noise. Which accuracy do the noisy labels show? "
        "Give at least 4 significant digits.",
        answer,
        f"{accuracy}·(1 − {rate}) + (1 − {accuracy})·{rate}/{classes - 1} = {show(answer)}.",
        {
            "forgot agreement by chance": accuracy * (1 - rate),
            "subtracted the rate": accuracy - rate,
            "let a wrong label meet any error": accuracy * (1 - rate) + (1 - accuracy) * rate,
        },
    )


def clean_accuracy(draw: Draw) -> Problem:
    classes, rate, shown = draw.choice((4, 5, 10)), draw.decimal(0.1, 0.35, 2), draw.decimal(0.5, 0.62, 3)
    chance = rate / (classes - 1)
    answer = (shown - chance) / (1 - rate - chance)
    return Problem(
        {"classes": classes, "rate": rate, "shown": shown},
        f"{KEPT}, with r = {rate} and {classes} classes. On such labels a model's accuracy is {shown}; its errors are spread "
        "alike over the wrong classes and independent of the noise. What is its accuracy on clean labels? Give at least 4 "
        "significant digits.",
        answer,
        f"({shown} − {show(chance)}) / (1 − {rate} − {show(chance)}) = {show(answer)}.",
        {"forgot agreement by chance": shown / (1 - rate), "added the rate": shown + rate},
    )


def uniform_diagonal(draw: Draw) -> Problem:
    classes, rate = draw.choice((3, 4, 5, 8, 10)), draw.decimal(0.2, 0.8, 2)
    answer = 1 - rate + rate / classes
    return Problem(
        {"classes": classes, "rate": rate},
        f"With probability {rate}, a label is replaced by a draw from all {classes} classes, its own included. What stands on "
        "the diagonal of the transition matrix? Give at least 4 significant digits.",
        answer,
        f"1 − {rate} + {rate}/{classes} = {show(answer)}: some replaced labels are right again.",
        {
            "forgot the lucky draws": 1 - rate,
            "gave an entry beside the diagonal": rate / classes,
            "spread over the others": 1 - rate + rate / (classes - 1),
        },
    )


def label_posterior(draw: Draw) -> Problem:
    cats, cat_to_dog, dog_to_cat = draw.integer(20, 80), draw.integer(5, 40), draw.integer(5, 40)
    shown = cats * (100 - cat_to_dog) + (100 - cats) * dog_to_cat
    answer = cats * (100 - cat_to_dog) / shown
    return Problem(
        {"cats": cats, "cat_to_dog": cat_to_dog, "dog_to_cat": dog_to_cat},
        f"{cats} % of the images show cats, the others dogs. {cat_to_dog} % of the cats are labelled dog and {dog_to_cat} % of "
        "the dogs are labelled cat. An image is labelled cat: with which probability does it show one?",
        answer,
        f"Bayes: {cats}·{100 - cat_to_dog} / ({cats}·{100 - cat_to_dog} + {100 - cats}·{dog_to_cat}) = {show(answer)}.",
        {
            "gave P(label cat | cat)": 1 - cat_to_dog / 100,
            "gave P(label cat)": shown / 1e4,
            "left out the shares": (100 - cat_to_dog) / (100 - cat_to_dog + dog_to_cat),
        },
    )


def forward_correction(draw: Draw) -> Problem:
    rows = tuple(_row(draw, i) for i in range(3))
    p, j = draw.distribution(3), draw.integer(1, 3)
    answer = sum(p[i] * rows[i][j - 1] for i in range(3))
    return Problem(
        {"rows": rows, "p": p, "j": j},
        f"T_[ij] is the probability that class i is labelled j; its rows are {', '.join(map(listed, rows))}. A model predicts "
        f"{listed(p)} for the clean classes. Which probability of the noisy label {j} does forward correction put into the loss?",
        answer,
        f"Σ_[i] p_[i] T_[i{j}] = " + " + ".join(f"{p[i]}·{rows[i][j - 1]}" for i in range(3)) + f" = {show(answer)}.",
        {
            "took row instead of column": sum(p[i] * rows[j - 1][i] for i in range(3)),
            "did not correct": p[j - 1],
            "took the diagonal": p[j - 1] * rows[j - 1][j - 1],
        },
    )


def _row(draw: Draw, true: int) -> tuple[float, ...]:
    first, second = draw.decimal(0.02, 0.2, 2), draw.decimal(0.02, 0.2, 2)
    row = [first, second]
    row.insert(true, round(1 - first - second, 2))
    return tuple(row)


QUESTIONS = (
    Computed("noisy-accuracy", "noisy labels", "l13", None, MEASURES, 2, noisy_accuracy, "fraction", relative=0.002),
    Computed("clean-accuracy", "noisy labels", "l13", None, MEASURES, 3, clean_accuracy, "fraction", relative=0.002),
    Computed("uniform-diagonal", "noisy labels", "l13", None, KNOWS, 1, uniform_diagonal, "fraction", relative=0.002),
    Computed("label-posterior", "noisy labels", "l13", None, KNOWS, 2, label_posterior, "fraction"),
    Computed("forward-correction", "noisy labels", "l13", None, KNOWS, 2, forward_correction, "fraction"),
)
