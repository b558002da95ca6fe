"""Trains trials of a handed-in search again: a program of its own, because it loads TensorFlow and nothing else of grading does.

    python -m grading.retraining < task.json > found.json

It is run by grading.measuring.recheck, outside the sandbox: it builds the networks with our own code from numbers and words that
were checked, and no code or file of a student's is opened.
"""
