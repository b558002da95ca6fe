"""JSON from strangers: one object, no field twice, no NaN, whatever else it holds is a sentence."""

import json
from collections import Counter

from projectkit.errors import SubmissionError
from projectkit.submit.fields import show

PACK_AGAIN = "Pack it again."


def load_object(content: bytes, where: str, fix: str = PACK_AGAIN) -> dict[str, object]:
    """The JSON object in UTF-8 `content`. Raises SubmissionError, naming `where` it stands and how to `fix` it.

    A number that is too large for a float is read as infinite: whoever uses numbers looks at each.
    """

    def no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
        result = dict(pairs)
        if len(result) != len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise SubmissionError(f"{where}: the field {show(twice)} is there twice, expected once. {fix}")
        return result

    def no_constants(text: str) -> None:
        raise SubmissionError(f"{where}: it holds the number {text}, expected finite numbers. Correct or drop it.")

    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=no_duplicates, parse_constant=no_constants)
    except SubmissionError:
        raise
    except RecursionError:
        raise SubmissionError(f"{where}: it is nested too deep, expected a few levels. {fix}") from None
    except ValueError as error:
        raise SubmissionError(f"{where}: not readable as JSON ({str(error)[:100]}). {fix}") from error
    if not isinstance(value, dict):
        raise SubmissionError(f"{where}: it is {show(value)}, expected an object. {fix}")
    return value
