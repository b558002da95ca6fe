"""What a runtime's exception means, in a sentence for whoever made the file.

The runtimes' own messages name source files, templates and addresses of theirs. They stay in the exception that ours is raised
from, and in the log at the level DEBUG.
"""

import logging
import re

LOG = logging.getLogger(__name__)
NAME = r"([A-Za-z0-9_.:/-]{1,60})"
# The first that is found in the message; {0} is what its group holds.
CAUSES = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        ("bfc_arena|bad_alloc|[Ff]ailed to allocate", "it failed to allocate the memory that the model asks for"),
        ("External data", "its weights lie in another file (External data), expected one file that holds everything"),
        (f"unresolved custom op: {NAME}", "it does not have the operator {0}"),
        (f"Didn't find op for builtin opcode '{NAME}'", "it is too old for the operator {0}, or does not have it"),
        (f"No Op registered for {NAME}", "it does not have the operator {0}"),
        (f"{NAME}(?:\\(-?\\d+\\))? is not a registered function/op", "it does not have the operator {0}"),
        (f"Could not find an implementation for {NAME}\\(", "it cannot compute the operator {0} for these types"),
        ("No opset import for domain", "it does not know the domain of one of its operators"),
        (
            "ValidateOpsetForDomain|Unsupported model IR version",
            "the file has a newer version of the format than it reads",
        ),
        ("INVALID_PROTOBUF|not a valid Flatbuffer|model identifier", "it is no intact model file"),
        (f"Optype \\({NAME}\\) bound to different types", "the inputs of the operator {0} differ in type"),
        (
            "Type Error|TypeInferenceError|[Ii]ncorrect type|input data type",
            "the types of its tensors do not fit together",
        ),
        (f"Op \\({NAME}\\) \\[ShapeInferenceError\\]", "the shapes at the operator {0} do not fit together"),
        ("ShapeInferenceError|[Ii]ncompatible dimensions", "the shapes of its tensors do not fit together"),
        (f"[Nn]ode number \\d+ \\({NAME}\\) failed to prepare", "the types or shapes at the operator {0} do not fit together"),
        (f"[Nn]ode number \\d+ \\({NAME}\\) failed to invoke", "the operator {0} failed while it ran"),
        ("[Ii]nvalid dimensions|[Cc]annot set tensor|[Dd]imension mismatch", "it takes inputs of another shape"),
        (f"while running {NAME} node", "the operator {0} failed while it ran, as when shapes do not fit together"),
        ("INVALID_GRAPH", "its operators and tensors do not make a graph that it can run"),
    )
)


def in_words(error: Exception) -> str:
    """Why a runtime refused or failed, as a part of a sentence whose subject is the runtime or the file; never its own words, but
    for an operator's name."""
    message = str(error)
    LOG.debug("%s: %s", type(error).__name__, message)
    for pattern, sentence in CAUSES:
        if found := pattern.search(message):
            return sentence.format(*found.groups())
    return "it says nothing that helps; open the file in a clean session, or export it again"
