"""The defense of projects: every claim measured again, the jury's dossier, questions, score sheets, the schedule, and the sheets
read back.

claims.py judges · measured.py measures · questions.py asks · picture.py draws · report_text.py reads the report ·
schedule.py plans · sheets.py and merge.py hold the score sheets · defend.py puts it together.
"""
