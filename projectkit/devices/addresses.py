"""Which devices a text can name, and which addresses are refused: nobody who is not authenticated may have code run."""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from projectkit.devices.known import KNOWN
from projectkit.devices.roofline import Roofline
from projectkit.devices.types import Device, Estimated, Here, Remote, Tls
from projectkit.errors import DeviceError, MeasureError
from projectkit.toml_file import read_toml

EXPECTED = "here, tls://HOST:PORT, tls://HOST:PORT/LABEL, a name of `projectkit devices`, or a .toml file"


def read_device(text: str, tls: Tls | None = None) -> Device:
    """The device that `text` names: "here", an address of a scheduler with an agent's name or label behind it, one of KNOWN, or
    the path of a TOML file (see `read_description`). Raises DeviceError for anything else, and for an address without TLS."""
    if text == "here":
        return Here()
    if "://" in text:
        return parse_address(text, tls)
    if text in KNOWN:
        return KNOWN[text]
    if text.endswith(".toml"):
        return read_description(Path(text))
    raise DeviceError(f"There is no device {text!r}; expected {EXPECTED}. Estimated are {', '.join(KNOWN)}.")


def parse_address(address: str, tls: Tls | None = None) -> Remote:
    """ "tls://HOST:PORT/LABEL" as a device. Raises DeviceError for what is no address, and for one that needs no certificate: an
    agent runs what it is sent, so tcp:// is for this machine alone."""
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    label = parts.path.strip("/")
    if not host or not port or "/" in label or parts.query or parts.fragment or parts.username is not None:
        raise DeviceError(f"{address} is no address of a scheduler; expected tls://HOST:PORT or tls://HOST:PORT/LABEL.")
    if parts.scheme != "tls" and not (parts.scheme == "tcp" and is_loopback(host)):
        raise DeviceError(
            f"{address}: over {parts.scheme}:// anybody could have this machine or an agent run anything. Use tls:// with "
            "certificates; tcp:// is accepted to 127.0.0.1 alone."
        )
    return Remote(f"{parts.scheme}://{parts.netloc}", label, tls)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its name alone; no name is looked up, because another may answer that."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_description(path: Path) -> Estimated:
    """An estimated device from a TOML file:

        name = "my-board"
        memory = 4e9                   # bytes
        cores = 4
        bandwidth = 12.8e9             # bytes/s
        overhead = 1e-6                # seconds an operator
        peaks = {float32 = 6e9, int8 = 12e9}         # MAC/s of one core
        operators = ["CONV_2D", "Conv"]              # leave out for all; then also, for those that it lacks:
        fallback = "raspberry-pi-4"                  # a name of `projectkit devices`
        link = 320e6                                 # bytes/s
        crossing = 1e-4                              # seconds
        sources = {bandwidth = "the data sheet, page 3"}

    Raises DeviceError when something is missing, unknown or impossible.
    """
    content = read_toml(path, DeviceError, advice="Give the path of a device's description in TOML.")
    try:
        roofline = Roofline(content.pop("name"), content.pop("bandwidth"), content.pop("peaks"), content.pop("overhead", 0.0))
        if "operators" in content:
            content["operators"] = frozenset(content["operators"])
        if "fallback" in content:
            content["fallback"] = KNOWN[content["fallback"]]
        return Estimated(roofline, int(content.pop("memory")), **content)
    except (MeasureError, DeviceError) as error:
        raise DeviceError(f"{path}: {error}") from error
    except KeyError as error:
        raise DeviceError(f"{path}: {error} is missing, or no known device. Known are {', '.join(KNOWN)}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise DeviceError(f"{path}: holds something of the wrong kind or an unknown name ({error}). Correct it there.") from error
