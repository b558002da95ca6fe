"""How sure a network is, and whether it should be: samplers, scores, calibration, conformal prediction."""
