"""What happened during training, epoch by epoch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class History:
    """One entry an epoch: loss and accuracy (in [0, 1]) on training and validation data, and wall-clock seconds."""

    loss: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    val_loss: tuple[float, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.loss)

    def then(self, **epoch: float) -> "History":
        """This history with one more epoch."""
        return History(**{name: (*getattr(self, name), float(epoch[name])) for name in self.__slots__})

    def plot(self) -> "Figure":
        """Draws loss and accuracy over the epochs; returns the matplotlib figure."""
        from matplotlib import pyplot

        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3), layout="constrained")
        epochs = range(1, len(self) + 1)
        for axes, name in ((left, "loss"), (right, "accuracy")):
            axes.plot(epochs, getattr(self, name), label="training")
            axes.plot(epochs, getattr(self, f"val_{name}"), label="validation")
            axes.set(xlabel="epoch", ylabel=name)
            axes.grid(alpha=0.3)
        right.legend()
        return figure
