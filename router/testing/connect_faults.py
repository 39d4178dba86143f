"""Faults before the first byte: at the listening socket, and in the TLS handshake.

Rule: what the kernel answers for a server cannot be left to chance, so ListenerFaults are whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.testing.fault import ConnectionFault, ListenerFault

if TYPE_CHECKING:
    import ssl

__all__ = ["CloseHandshake", "HangConnect", "HangHandshake", "OtherCertificate", "Refuse"]


@dataclass(frozen=True, slots=True)
class Refuse(ListenerFault):
    """The process is dead. The client sees ECONNREFUSED at once.

    Open connections are reset (ECONNRESET), or with `reset_open=False` go on.
    """

    reset_open: bool = True


@dataclass(frozen=True, slots=True)
class HangConnect(ListenerFault):
    """Packets are lost, or the backlog is full. A connect hangs until the client's timeout.

    What open connections send meanwhile is lost, or with `silence_open=False` they go on. A connect
    that hung is tried again by the client's kernel after 1, 3 and 7 s. Made for Linux.
    """

    silence_open: bool = True


@dataclass(frozen=True, slots=True)
class HangHandshake(ConnectionFault):
    """The connection is accepted and nothing ever comes: TLS hangs until the connect timeout."""


@dataclass(frozen=True, slots=True)
class CloseHandshake(ConnectionFault):
    """The connection is closed as soon as the client has said hello (FIN; `reset=True`: RST)."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class OtherCertificate(ConnectionFault):
    """The server shows another certificate; see `Certificates` for bad ones. Of a Region with TLS.

    A client that verifies sees the handshake fail before it has sent anything of its request.
    """

    context: ssl.SSLContext
