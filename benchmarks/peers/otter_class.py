"""Grades a class with otter-grader's own API for graders without containers, in processes that stay: its fastest way.

    python otter_class.py AUTOGRADER.zip PROCESSES SUBMISSION.zip…

runs in otter-grader's environment and prints [points, possible] of each submission as JSON.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from otter.api import grade_submission


def points(submission: str, autograder: str) -> tuple[float, float]:
    results = grade_submission(submission, autograder, quiet=True)
    return results.total, results.possible


if __name__ == "__main__":
    autograder, processes, *submissions = sys.argv[1:]
    with ProcessPoolExecutor(int(processes)) as pool:
        print(json.dumps(list(pool.map(partial(points, autograder=autograder), submissions))))
