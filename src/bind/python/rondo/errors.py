"""What can go wrong, as exceptions."""


class Error(RuntimeError):
    """A call failed. `code` says why ("peer_lost"), `peer` is the rank that caused it, or -1 where
    no single rank did. After an error in a collective every later call on its communicator raises
    the same first cause."""

    code = "unknown"

    def __init__(self, text: str, peer: int = -1):
        super().__init__(text)
        self.peer = peer


class InvalidArgument(Error, ValueError):
    """A call that no rank could carry out."""

    code = "invalid_argument"


class Mismatch(Error):
    """Two ranks called different things; the text names both calls."""

    code = "mismatch"


class Timeout(Error, TimeoutError):
    """The deadline passed; `peer` did not answer."""

    code = "timeout"


class PeerLost(Error, ConnectionError):
    """A rank died, or its link broke."""

    code = "peer_lost"


class PeerLeft(Error, ConnectionError):
    """A rank closed its communicator while others waited for it."""

    code = "peer_left"


class Aborted(Error):
    """Somebody called Communicator.abort()."""

    code = "aborted"


class JoinFailed(Error, ConnectionError):
    """The world could not be formed; the text lists who is missing or disagrees."""

    code = "join_failed"


class Unsupported(Error, NotImplementedError):
    """Valid, but not available in this build or on this transport."""

    code = "unsupported"


class Protocol(Error):
    """A peer sent what this version does not understand."""

    code = "protocol"


class Resource(Error, MemoryError):
    """Out of memory, file descriptors or ports."""

    code = "resource"


class Io(Error, OSError):
    """The operating system refused an operation."""

    code = "io"


class Internal(Error):
    """A bug in rondo."""

    code = "internal"


# By rondo_status; 0 is success.
BY_STATUS = (None, InvalidArgument, Mismatch, Timeout, PeerLost, PeerLeft, Aborted, JoinFailed,
             Protocol, Unsupported, Resource, Io, Internal)


def make(status: int, text: str, peer: int) -> Error:
    """The exception of a status that is not 0."""
    known = BY_STATUS[status] if 0 < status < len(BY_STATUS) else None
    return (known or Error)(text, peer)
