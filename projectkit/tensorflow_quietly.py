"""Imports TensorFlow without the screenful that it prints on the way. Every room that uses Keras imports this first."""

from projectkit.quiet import quiet

with quiet():
    import tf_keras  # noqa: F401
