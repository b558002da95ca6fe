"""Hides what libraries print past Python's streams."""

import contextlib
import functools
import io
import logging
import os
import warnings
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences the process's own file descriptors: TensorFlow's C++ logs, LiteRT's and the converters' would otherwise fill a
    notebook with lines that a student has to learn to ignore. Errors still arrive, as exceptions."""
    with contextlib.ExitStack() as stack:
        sink = _sink()
        for descriptor in (1, 2):
            saved = os.dup(descriptor)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, descriptor)
            os.dup2(sink.fileno(), descriptor)
        # In a notebook Python's streams are not the file descriptors.
        stack.enter_context(contextlib.redirect_stdout(sink))
        stack.enter_context(contextlib.redirect_stderr(sink))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.ERROR)
        yield


class _Sink(io.TextIOWrapper):
    """A library that starts its logging in `quiet` keeps the stream it found, and may close it when logging is set up anew, as
    absl's handler does. Nobody else could be silenced then."""

    def close(self) -> None:
        self.flush()


@functools.cache
def _sink() -> TextIO:
    """Open for the life of the process."""
    return _Sink(open(os.devnull, "wb"))
