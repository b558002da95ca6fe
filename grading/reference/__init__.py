"""A solution of every lab, as a program that builds a submission. They prove the rubrics and are the only part of grading
that trains: nothing of the grading path imports them.

    python -m grading.reference.l01_quantization reference.zip quick

What they built at quick scale is kept in kept/, so that the rubrics are proven in seconds; `make references` builds all of
them anew.
"""
