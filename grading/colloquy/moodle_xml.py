"""The bank as Moodle XML (docs.moodle.org, "Moodle XML format"): computed questions as numerical, in several variants with
other numbers each; open ones as essay with the marking guide for graders.

Every computed question gets a category of its own that holds its variants, so that a quiz can draw a random one for each
student.
"""

from collections.abc import Sequence
from pathlib import Path

from grading.colloquy.bank import BANK, item
from grading.colloquy.formula import show, to_html
from grading.colloquy.paper import asked
from grading.colloquy.types import Computed, Item, Question
from grading.errors import GradingError
from grading.results.store import write_atomically

ROOT = "$course$/top/Colloquy"


def moodle_xml(path: Path, variants: int = 5, topics: Sequence[str] = (), seed: str = "") -> int:
    """Writes the bank, or those topics of it, for Moodle's question bank; returns the number of questions in the file.

    Raises GradingError for no variants or a topic that the bank does not have."""
    known = {question.topic for question in BANK.values()}
    if variants < 1 or set(topics) - known:
        raise GradingError(
            f"{variants} variants of {', '.join(topics) or 'all topics'}: expected at least one variant, and topics out of "
            f"{', '.join(sorted(known))}. Change --variants or --topics."
        )
    parts, count = ['<?xml version="1.0" encoding="UTF-8"?>', "<quiz>"], 0
    for question in BANK.values():
        if topics and question.topic not in topics:
            continue
        questions = _questions(question, variants, seed)
        parts += [_category(question), *questions]
        count += len(questions)
    write_atomically(path, "\n".join([*parts, "</quiz>"]) + "\n")
    return count


def _questions(question: Question, variants: int, seed: str) -> list[str]:
    if not isinstance(question, Computed):
        return [_essay(item(question, 1, "", "moodle", seed))]
    return [_numerical(item(question, i, f"variant {i}", "moodle", seed)) for i in range(1, variants + 1)]


def _category(question: Question) -> str:
    leaf = f"/{question.id}" if isinstance(question, Computed) else "/open questions"
    text = _text(f"{ROOT}/{question.topic}{leaf}")
    return f'<question type="category">\n<category>{text}</category>\n<info format="html"><text></text></info>\n</question>'


def _numerical(one: Item) -> str:
    form = asked(one.unit, one.whole) if one.unit != "fraction" else "a fraction from 0 to 1"
    body = f"<p>{to_html(one.text)}</p>{_table(one)}" + (f"<p>Answer: {to_html(form)}.</p>" if form else "")
    answers = [_answer(100, one.right, one.tolerance, "")]
    # Known mistakes earn nothing, but say what went wrong.
    answers += [
        _answer(0, value, 0.005 * abs(value), f"It looks as if someone {name}.") for name, value in one.wrong.items() if value
    ]
    units = (
        "<unitgradingtype>0</unitgradingtype>\n<unitpenalty>0.1</unitpenalty>\n<showunits>3</showunits>\n<unitsleft>0</unitsleft>"
    )
    head = _head("numerical", f"{one.question} {one.number:02d}", one, body, to_html(one.solution))
    return "\n".join([head, *answers, units, _tags(one), "</question>"])


def _essay(one: Item) -> str:
    guide = "".join(f"<li>{to_html(idea)} ({show(worth)})</li>" for idea, worth in one.guide)
    fields = {
        "responseformat": "editor",
        "responserequired": "1",
        "responsefieldlines": "15",
        "attachments": "0",
        "attachmentsrequired": "0",
    }
    plain = "\n".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    info = f'<graderinfo format="html">{_text(f"<ul>{guide}</ul>")}</graderinfo>'
    template = '<responsetemplate format="html"><text></text></responsetemplate>'
    return "\n".join(
        [_head("essay", one.question, one, f"<p>{to_html(one.text)}</p>", ""), plain, info, template, _tags(one), "</question>"]
    )


def _head(kind: str, name: str, one: Item, body: str, feedback: str) -> str:
    return "\n".join(
        [
            f'<question type="{kind}">',
            f"<name>{_text(name)}</name>",
            f'<questiontext format="html">{_text(body)}</questiontext>',
            f'<generalfeedback format="html">{_text(feedback)}</generalfeedback>',
            f"<defaultgrade>{one.points}</defaultgrade>",
            "<penalty>0.3333333</penalty>",
            "<hidden>0</hidden>",
            f"<idnumber>{name.replace(' ', '-')}</idnumber>",
        ]
    )


def _answer(fraction: int, value: float, tolerance: float, feedback: str) -> str:
    return (
        f'<answer fraction="{fraction}" format="moodle_auto_format">\n<text>{_number(value)}</text>\n'
        f'<feedback format="html">{_text(feedback)}</feedback>\n<tolerance>{_number(tolerance)}</tolerance>\n</answer>'
    )


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _table(one: Item) -> str:
    rows = [
        "<tr>" + "".join(f"<{tag}>{to_html(cell)}</{tag}>" for cell in row) + "</tr>"
        for tag, row in zip(["th"] + ["td"] * len(one.table), one.table, strict=False)
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _tags(one: Item) -> str:
    tags = "".join(f"<tag>{_text(tag)}</tag>" for tag in (one.topic, one.outcome, one.place.split(",")[0]))
    return f"<tags>{tags}</tags>"


def _text(content: str) -> str:
    """A text element; CDATA keeps the HTML as it is, and a "]]>" inside it is split so that it cannot end early."""
    return f"<text><![CDATA[{content.replace(']]>', ']]]]><![CDATA[>')}]]></text>" if content else "<text></text>"
