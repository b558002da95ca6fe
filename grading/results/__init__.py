"""What a grading run writes: results as JSON, pages, tables, and the points for Gradescope."""
