"""The semester: from lab grades and lists of scores to final marks, by a scheme that a faculty writes in TOML."""
