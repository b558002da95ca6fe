"""The same model in another arithmetic."""

import tf_keras as keras

from projectkit.errors import ModelError

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def in_precision(model: keras.Model, precision: str) -> keras.Model:
    """A copy of `model` that computes in `precision`: "float32", "mixed_bfloat16" or "mixed_float16".

    The mixed ones keep float32 weights and multiply in 16 bits, which is faster where the processor has instructions for it
    (Micikevicius et al., "Mixed precision training", 2018). The last layer stays float32: small differences of logits matter.
    Train the copy, then take a float32 copy of it to measure, prune or export. Raises ModelError for another precision.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"Received the precision {precision!r}; expected one of {', '.join(PRECISIONS)}.")
    config = model.get_config()
    ends = {layer.name for layer in model.layers if any(layer.output is output for output in model.outputs)}
    for entry in config["layers"]:
        if entry["class_name"] != "InputLayer":
            entry["config"]["dtype"] = "float32" if entry["config"]["name"] in ends else precision
    kind = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    twin = kind.from_config(config)
    twin.set_weights(model.get_weights())
    return twin
