"""How a parametric ReLU is rounded while a network trains for int8: TFMOT does not know it."""

from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras as keras

_keras = tfmot.quantization.keras


class PReLUConfig(tfmot.quantization.keras.QuantizeConfig):
    """Slopes symmetric and answers asymmetric in 8 bits, one scale each, as LiteRT's PRELU stores them."""

    def get_weights_and_quantizers(self, layer: keras.layers.PReLU) -> list[tuple[Any, Any]]:
        quantizer = _keras.quantizers.LastValueQuantizer(num_bits=8, per_axis=False, symmetric=True, narrow_range=True)
        return [(layer.alpha, quantizer)]

    def get_activations_and_quantizers(self, layer: keras.layers.PReLU) -> list[tuple[Any, Any]]:
        return []

    def set_quantize_weights(self, layer: keras.layers.PReLU, quantize_weights: list[Any]) -> None:
        (layer.alpha,) = quantize_weights

    def set_quantize_activations(self, layer: keras.layers.PReLU, quantize_activations: list[Any]) -> None:
        pass

    def get_output_quantizers(self, layer: keras.layers.PReLU) -> list[Any]:
        return [_keras.quantizers.MovingAverageQuantizer(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)]

    def get_config(self) -> dict[str, Any]:
        return {}


def quantized(model: keras.Model) -> keras.Model:
    """TFMOT's `quantize_model`, which also takes parametric ReLUs; `model` is given away."""

    def annotated(layer: keras.layers.Layer) -> keras.layers.Layer:
        twin = layer.__class__.from_config(layer.get_config())
        return _keras.quantize_annotate_layer(twin, PReLUConfig()) if type(layer) is keras.layers.PReLU else twin

    if not any(type(layer) is keras.layers.PReLU for layer in model.layers):
        return _keras.quantize_model(model)
    twin = keras.models.clone_model(model, clone_function=annotated)
    twin.set_weights(model.get_weights())
    with _keras.quantize_scope({"PReLUConfig": PReLUConfig}):
        return _keras.quantize_apply(_keras.quantize_annotate_model(twin))
