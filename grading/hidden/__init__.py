"""The data that a grade is measured on: hidden images, and what models are probed with beside them."""
