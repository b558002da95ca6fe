"""Into and out of Moodle: its download of all submissions becomes a folder to grade, the grades go back into its own files.

`unpack` (zip → submissions and join table) → `grading run` → `outcomes` (results by student) → `fill` and `pack_feedback`.
"""
