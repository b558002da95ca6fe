"""A solution of every lab, as a program that builds a submission. They prove the rubrics and are the only part of grading
that trains: nothing of the grading path imports them.

    python -m grading.reference.l01_quantization reference.zip quick

What they build at quick scale is kept in tests/grading/references/, so that a rubric is proven in seconds; `make references`
builds them anew.
"""
