"""What is inside a built engine, from the JSON of the engine inspector (trtexec --exportLayerInfo, or the Python API).

Line 10 writes "Bindings": [names] and one field "Format/Datatype" a tensor; line 11 writes "I/O Tensors": [{"Name": …}] and two
fields, "Format" and "DataType". An engine built without detailed profiling verbosity has the layers' names only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from projectkit.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """One layer of an engine: what the builder made of one or several layers of the graph.

    formats: of its outputs, as the inspector words them; sparse: whether its kernel uses 2:4 sparsity.
    """

    name: str
    kind: str
    formats: tuple[str, ...]
    tactic: str
    sparse: bool

    @property
    def device(self) -> str:
        """ "DLA" for a group of layers that was handed to the DLA as a whole, else "GPU"."""
        return "DLA" if self.kind.upper() == "DLA" or self.kind.startswith("Dla") else "GPU"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The layers of an engine in the order in which they run, and the names of its inputs and outputs."""

    layers: tuple[EngineLayer, ...]
    tensors: tuple[str, ...]


def parse_layer_info(text: str) -> EngineInfo:
    """Reads the inspector's JSON of either line. Raises ArtifactError when it is none."""
    try:
        content = json.loads(text)
        layers = tuple(_layer(layer) for layer in content["Layers"])
        if "I/O Tensors" in content:
            tensors = tuple(tensor["Name"] for tensor in content["I/O Tensors"])
        else:
            tensors = tuple(content.get("Bindings", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"this is no layer information of TensorRT ({type(error).__name__}: {error}). Export it with --exportLayerInfo=FILE."
        ) from error
    return EngineInfo(layers, tensors)


def _layer(layer: Mapping[str, Any] | str) -> EngineLayer:
    if isinstance(layer, str):
        return EngineLayer(layer, "", (), "", False)
    outputs = layer.get("Outputs", ())
    return EngineLayer(
        layer["Name"],
        layer.get("LayerType", ""),
        tuple(_format(output) for output in outputs),
        layer.get("TacticName", ""),
        bool(layer.get("HasSparseWeights", 0)),
    )


def _format(tensor: Mapping[str, str]) -> str:
    if "Format/Datatype" in tensor:
        return tensor["Format/Datatype"]
    return " ".join(part for part in (tensor.get("DataType", ""), tensor.get("Format", "")) if part)
