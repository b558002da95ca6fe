"""How large anything in a submission may be. One value for both sides: what packs also reads."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, lengths in characters, the rest counts."""

    zip_bytes: int = 128 * MEBIBYTE
    file_bytes: int = 64 * MEBIBYTE  # one model file
    total_bytes: int = 128 * MEBIBYTE  # all files together, unpacked
    manifest_bytes: int = 64 * 1024
    answers_bytes: int = 16 * MEBIBYTE
    report_bytes: int = 64 * 1024
    study_bytes: int = 2 * MEBIBYTE
    trials: int = 2000  # of a study
    blocks: int = 32  # of an architecture in it
    files: int = 24
    directory_bytes: int = 64 * 1024  # the table of contents of a zip
    ratio: int = 100  # unpacked : packed, for files above `ratio_from`
    ratio_from: int = MEBIBYTE
    arrays: int = 256
    array_dimensions: int = 8
    text: int = 100
    claims: int = 100
    number: float = 1e18


LIMITS = Limits()
