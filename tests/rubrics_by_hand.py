"""Rubrics of the tests' own, as the text of their files."""

import json


def rubric(lab: str, title: str, checks: list[dict], *, baseline: str | None = None, **limits: float) -> str:
    """A rubric at quick scale on digits. A check says what differs: 10 points and its id as its title are given."""
    lines = [f'lab = "{lab}"', f'title = "{title}"', "[limits]", *_fields(limits), "[scale.quick]", 'dataset = "digits"']
    lines += _fields({"baseline": baseline} if baseline else {})
    for check in checks:
        lines += ["[[scale.quick.check]]", *_fields({"title": check["id"], "points": 10} | check)]
    return "\n".join(lines) + "\n"


def _fields(values: dict) -> list[str]:
    # Strings, numbers and truth values are written in TOML as in JSON.
    return [f"{name} = {json.dumps(value)}" for name, value in values.items()]
