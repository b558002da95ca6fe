"""What stops a whole grading run, as opposed to what spoils one submission.

ProjectkitError
└── GradingError      the grader was set up or called wrongly; the message says how to fix it
    ├── SandboxError  no sandbox where one was required, or it did not start
    └── OutputError   the output folder cannot be written to: a full disk, a read-only folder
"""

from projectkit.errors import ProjectkitError


class GradingError(ProjectkitError):
    """The grader was set up or called wrongly."""


class SandboxError(GradingError):
    """No sandbox where one was required, or it did not start."""


class OutputError(GradingError):
    """The output folder cannot be written to."""
