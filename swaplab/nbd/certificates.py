"""TLS for the server, from files in PEM form."""

import ssl
from errno import EINVAL
from pathlib import Path


def server_tls(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """TLS with this certificate; with `client_ca`, only for clients that have one of that authority.

    OSError that names the file which cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in (certificate, key, client_ca):
        if file is not None:
            file.read_bytes()  # what cannot be read is said by name here
    try:
        context.load_cert_chain(certificate, key, password="")  # never ask at the terminal
    except ssl.SSLError:
        why = f"this and {key} are no certificate and its key, without a password"
        raise OSError(EINVAL, why, str(certificate)) from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError:
            why = "this is no certificate of an authority"
            raise OSError(EINVAL, why, str(client_ca)) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context
