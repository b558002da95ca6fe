"""The command that installs what is missing, for messages: one that works from a clone and from a wheel."""

DISTRIBUTION = "projectkit-labs"


def install_hint(extra: str = "", distribution: str = DISTRIBUTION) -> str:
    """`pip install "projectkit-labs[micro]"`, for example: the command that adds `extra` to an installed distribution.

    pip finds the distribution among what is installed, from a clone or from a wheel, and fetches only what the extra adds to it.
    So the distribution need not be on a package index.
    """
    return f'pip install "{distribution}[{extra}]"' if extra else f'pip install "{distribution}"'
