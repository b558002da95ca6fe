"""A student's report as HTML of our making: Markdown with headings, lists, tables and code, and nothing that could act or load.

Raw HTML, links and images are off, so that they stay text; the parser escapes all text.
"""

from markdown_it import MarkdownIt

LONGEST = 60_000  # characters; about 20 pages
_OFF = ("link", "image", "autolink", "html_inline", "html_block", "reference", "entity")


def report_html(report: str) -> str:
    """The report as HTML; what goes beyond LONGEST characters is cut off with a sentence that says so."""
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in report.replace("\r\n", "\n"))
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n\n(The report goes on for {len(text) - LONGEST} more characters, which are not printed.)"
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(_OFF)
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # below the page's own two levels
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    return markdown.renderer.render(tokens, markdown.options, {})
