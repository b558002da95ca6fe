"""Templates of the pages: everything that is put into them is escaped, and a name that is not there is an error."""

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


@functools.cache
def template(name: str, *packages: str) -> "jinja2.Template":
    """The Jinja2 template `name` of the first of `packages` that has it in its folder `templates`; default: of `grading.results`.

    Jinja2 is loaded when the first page is made.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package) for package in packages or ("grading.results",)]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)
