"""What is handed in: the files of a batch, and what of a submission cannot be graded."""
