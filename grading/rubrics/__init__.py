"""The rubrics: a TOML file a lab, in which all thresholds stand, and how they are read."""
