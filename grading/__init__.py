"""grading: turns submissions into points by measuring the handed-in models again.

    intake → remeasure (sandboxed) → award → report

Nothing of a student's is executed or unpickled, claims earn nothing, and no TensorFlow is imported on this path.
"""

DISTRIBUTION = "projectkit-grading"
