"""Certificates for Dask: who holds one that the course's authority has signed may use its devices, nobody else."""

from pathlib import Path
from typing import TYPE_CHECKING

from projectkit.devices.types import Tls
from projectkit.errors import DeviceError
from projectkit.install_hint import install_hint

if TYPE_CHECKING:
    from distributed import Security

CONFIGURATION = "distributed.comm.tls in Dask's configuration, or --tls-ca-file, --tls-cert and --tls-key"


def security(address: str, tls: Tls | None, role: str) -> "Security | None":
    """A distributed.Security for tls:// as "client" or "worker"; None for tcp://.

    Raises DeviceError when Dask is not installed, a file is missing or unreadable, or the three do not belong together.
    """
    import ssl

    try:
        from distributed.security import Security
    except ImportError as error:
        raise DeviceError(f"{address}: needs Dask, which is not installed: {install_hint('device')}") from error

    if not address.startswith("tls://"):
        return None
    files = {"tls_ca_file": tls.ca_file, f"tls_{role}_cert": tls.cert, f"tls_{role}_key": tls.key} if tls else {}
    made = Security(require_encryption=True, **files)
    named = made.get_tls_config_for_role(role)
    for what in ("ca_file", "cert", "key"):
        if not named[what]:
            raise DeviceError(f"{address}: no {what} of TLS is named; expected {CONFIGURATION}.")
        if not Path(named[what]).is_file():
            raise DeviceError(f"{address}: there is no file {named[what]} (TLS, {what}). Give the path of a certificate or key.")
    try:
        made.get_connection_args(role)
    except (ssl.SSLError, OSError) as error:
        raise DeviceError(
            f"{address}: the certificate, its key and the authority cannot be used together ({error}). Make them anew, as the "
            "documentation of projectkit.devices says."
        ) from error
    return made


def chosen(ca_file: Path | None, cert: Path | None, key: Path | None) -> Tls | None:
    """The three options of a command: all or none. Raises DeviceError for one or two of them."""
    given = [path for path in (ca_file, cert, key) if path is not None]
    if not given:
        return None
    if len(given) < 3:
        raise DeviceError("Of --tls-ca-file, --tls-cert and --tls-key one or two are given; expected all three, or none.")
    return Tls(str(ca_file), str(cert), str(key))
