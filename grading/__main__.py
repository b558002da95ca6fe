"""`python -m grading` is the command `grading`."""

from grading.cli import app

app()
