"""The colloquy: a bank of questions, papers with each student's own numbers, and the check of their answers."""
