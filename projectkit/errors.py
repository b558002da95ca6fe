"""The errors of projectkit. Each message says what was received, what was expected and how to fix it.

ProjectkitError
├── DataError         a dataset is unknown, absent or damaged
├── ModelError        a model that a function cannot work with
├── ExportError       a model could not be written in the wanted format or precision
├── ArtifactError     a model file cannot be read, opened or run
├── MeasureError      a measurement makes no sense (NaN, outside its own interval, too few samples)
├── SearchError       the settings, the study or the storage of an architecture search cannot be used
├── DeviceError       a device cannot be described, reached or used, or was lost in the middle
├── ScheduleError     several models cannot be planned or run together as asked
├── UncertaintyError  probabilities make no sense, or a method of uncertainty does not fit the model
├── RobustnessError   an attack, a defense or a corruption does not fit the model or the images
├── SubmissionError   a submission cannot be packed or read
└── NotHere           this machine cannot measure that; the message is the reason that reports print
"""


class ProjectkitError(Exception):
    """Base of every error that projectkit raises on purpose."""


class DataError(ProjectkitError):
    """A dataset is unknown, absent or damaged."""


class ModelError(ProjectkitError):
    """A model that a function cannot work with."""


class ExportError(ProjectkitError):
    """A model could not be written in the wanted format or precision."""


class ArtifactError(ProjectkitError):
    """A model file cannot be read, opened or run."""


class MeasureError(ProjectkitError):
    """A measurement makes no sense."""


class SearchError(ProjectkitError):
    """The settings, the study or the storage of an architecture search cannot be used."""


class DeviceError(ProjectkitError):
    """A device cannot be described, reached or used, or was lost in the middle."""


class ScheduleError(ProjectkitError):
    """Several models cannot be planned or run together as asked."""


class UncertaintyError(ProjectkitError):
    """Probabilities make no sense, or a method of uncertainty does not fit the model."""


class RobustnessError(ProjectkitError):
    """An attack, a defense or a corruption does not fit the model or the images."""


class SubmissionError(ProjectkitError):
    """A submission cannot be packed or read."""


class NotHere(ProjectkitError):
    """This machine cannot measure that; the message is the reason that reports print."""
