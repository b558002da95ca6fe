"""How a network bears images that were changed: attacks, defenses, corruptions."""
