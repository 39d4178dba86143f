"""One location database, opened: a private copy of the file, and the C reader over it.

Rule 1: the file that the user owns is read once and never mapped. A file that is truncated in
        place kills whoever has it mapped by SIGBUS; ours is an anonymous file that no one else
        writes to.
Rule 2: nothing reaches the C reader before `audit` has walked it.
Rule 3: only GeoError leaves. On a damaged file maxminddb and geoip2 raise whatever comes to hand
        (UnicodeDecodeError, ValueError, TypeError, OverflowError, AttributeError, …).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import tempfile
from ipaddress import ip_address
from typing import IO, TYPE_CHECKING, Any

from router.errors import GeoError
from router.geo.audit import DataSection, SearchTree, metadata_start
from router.geo.place import Place, place_from_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

    from maxminddb import Reader

__all__ = ["Database"]

CHUNK = 1 << 20
DESCRIPTORS = "/proc/self/fd"
WITHOUT_PLACES = ("ASN", "ISP", "Domain", "Connection-Type", "Anonymous")
TRIAL = tuple(map(ip_address, ("0.0.0.0", "81.2.69.142", "223.255.255.255", "2001:db8::1")))  # noqa: S104 - looked up, not bound


class Database:
    """A GeoLite2-City, GeoLite2-Country or flat database, safe to read from many threads.

    Its memory is given back when the last reference goes; a lookup under way holds its own.
    """

    __slots__ = ("_data", "_path", "_reader", "_tree")

    def __init__(self, path: Path) -> None:
        """Copy, check and open the file at `path`.

        Raises:
            GeoError: it is missing, unreadable, damaged, or holds no places.
        """
        self._path = path
        with self._translated(), _private_copy(path) as (name, content):
            self._open(name, content)
        for address in TRIAL:
            self.find(address)

    def find(self, address: IPv4Address | IPv6Address) -> Place | None:
        """Return the place of an address, or None if the database has none.

        Raises:
            GeoError: the record, or the way to it, is damaged.
        """
        with self._translated():
            offset = self._tree.find(address)
            if offset is None:
                return None
            self._data.check(offset)
            record: Any = self._reader.get(address)
            return place_from_record(record)

    def _open(self, name: str, content: mmap.mmap) -> None:
        import maxminddb  # noqa: PLC0415 - loaded when used

        DataSection(content, metadata_start(content)).check(0)
        self._reader: Reader = maxminddb.open_database(name)
        about = self._reader.metadata()
        if any(word in about.database_type for word in WITHOUT_PLACES):
            raise GeoError(f"a {about.database_type} database holds no places")
        self._tree = SearchTree(
            content,
            nodes=about.node_count,
            record_size=about.record_size,
            ip_version=about.ip_version,
        )
        self._data = DataSection(content, self._tree.size)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except GeoError as error:
            raise self._error(str(error)) from None
        except OSError as error:
            raise self._error(error.strerror or "it cannot be read") from error
        except Exception as error:
            raise self._error(f"it is damaged ({type(error).__name__})") from error

    def _error(self, what: str) -> GeoError:
        return GeoError(
            f"location database {self._path}: {what}; put a GeoLite2-City or GeoLite2-Country "
            "file there, or take geo.database out of the configuration"
        )


@contextlib.contextmanager
def _private_copy(path: Path) -> Iterator[tuple[str, mmap.mmap]]:
    """Copy a regular file to an anonymous one; give its name for now, and its bytes."""
    if not path.exists():
        raise GeoError("there is no such file")
    if not path.is_file():  # opening a pipe would wait for ever
        raise GeoError("it is not a file")
    with path.open("rb") as source, _anonymous_file() as (name, copy):
        shutil.copyfileobj(source, copy, CHUNK)
        copy.flush()
        if copy.tell() == 0:
            raise GeoError("it is empty")
        yield name, mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)


@contextlib.contextmanager
def _anonymous_file() -> Iterator[tuple[str, IO[bytes]]]:
    """Make a file that vanishes with its last user: in memory where possible, else on disk."""
    if hasattr(os, "memfd_create") and os.path.isdir(DESCRIPTORS):  # noqa: PTH112 - no Path needed
        with os.fdopen(os.memfd_create("router-geo"), "w+b") as file:
            yield f"{DESCRIPTORS}/{file.fileno()}", file
    else:
        with tempfile.NamedTemporaryFile() as named:
            yield named.name, named
