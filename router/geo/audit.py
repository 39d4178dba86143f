"""What is checked of a database file before the C reader may touch it.

maxminddb's C reader (3.2.0) takes every map key for a string and follows its pointer unseen: a
damaged key of another type ends the process with SIGSEGV, and one flipped bit is enough. The pure
Python reader is safe and 15 times slower. So the C reader reads only what was walked here first.

Rule 1: the walk reads the very bytes that the C reader will decode, by the same rules of the
        MaxMind DB format 2.0, and looks at control bytes only; values are not decoded.
Rule 2: every map key is a string, or a pointer to one. All else the C reader checks itself.
Rule 3: the walk is bounded in depth and in values, as the C reader is, so damage cannot make it
        run on. What a pointer leads to is walked once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.errors import GeoError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv6Address
    from mmap import mmap

__all__ = ["DataSection", "SearchTree", "metadata_start"]

POINTER, STRING, MAP, ARRAY, BOOLEAN = 1, 2, 7, 11, 14
EXTENDED = 7
"""Added to the second byte of a type that does not fit into three bits."""
SHORT_SIZE = 28
"""The largest size that stands in the control byte; above it 1 to 3 more bytes tell the rest."""
SIZE_BASES = (29, 285, 65821)
POINTER_BASES = (0, 2048, 526_336, 0)
DEEPEST = 64
MOST_VALUES = 65_536
MOST_REMEMBERED = 100_000
IPV4_BITS, IPV6_BITS = 32, 128
MARKER = b"\xab\xcd\xefMaxMind.com"
MARKER_WITHIN = 128 * 1024
SEPARATOR = 16


def metadata_start(content: mmap) -> int:
    """Return where the metadata begins: behind the last marker in the last 128 KiB.

    Raises:
        GeoError: there is no marker, so this is no MaxMind DB file, or its end is missing.
    """
    at = content.rfind(MARKER, max(0, len(content) - MARKER_WITHIN))
    if at < 0:
        raise GeoError("it is not a MaxMind DB file, or its end is missing")
    return at + len(MARKER)


class DataSection:
    """The values that begin at byte `start` of `content`; pointers count from there."""

    __slots__ = ("_content", "_sound", "_start", "_strings")

    def __init__(self, content: mmap, start: int) -> None:
        self._content = content
        self._start = start
        self._sound: set[int] = set()
        self._strings: set[int] = set()

    def check(self, offset: int) -> None:
        """Walk the value at `offset`.

        Raises:
            GeoError: a map in it has a key that is no string, or it does not end.
        """
        try:
            self._walk(self._start + offset, 0, iter(range(MOST_VALUES)))
        except (IndexError, StopIteration):
            raise GeoError("a record runs past its bounds") from None

    def _walk(self, at: int, depth: int, budget: Iterator[int]) -> int:
        """Walk the value at byte `at`; return where the next one begins."""
        next(budget)
        if depth > DEEPEST:
            raise GeoError("a record is nested too deep")
        kind, size, at = self._control(at)
        if kind == POINTER:
            self._follow(size, depth, budget)
        elif kind == MAP:
            for _ in range(size):
                at = self._walk(self._key(at), depth + 1, budget)
        elif kind == ARRAY:
            for _ in range(size):
                at = self._walk(at, depth + 1, budget)
        elif kind != BOOLEAN:  # a boolean's size is its value
            at += size
        return at

    def _follow(self, target: int, depth: int, budget: Iterator[int]) -> None:
        if target not in self._sound:
            self._walk(self._start + target, depth + 1, budget)
            _remember(self._sound, target)

    def _key(self, at: int) -> int:
        """Check the key at byte `at`; return where its value begins."""
        kind, size, at = self._control(at)
        if kind == POINTER:
            if size not in self._strings:
                self._require_string(self._control(self._start + size)[0])
                _remember(self._strings, size)
            return at
        self._require_string(kind)
        return at + size

    def _require_string(self, kind: int) -> None:
        if kind != STRING:
            raise GeoError("a record has a key that is no string")

    def _control(self, at: int) -> tuple[int, int, int]:
        """Return a value's type, its size or its pointer's target, and where its payload begins."""
        content = self._content
        control = content[at]
        kind = control >> 5
        at += 1
        if kind == POINTER:
            more = (control >> 3 & 3) + 1
            high = control & 7 if more <= 3 else 0  # noqa: PLR2004 - four bytes hold a whole pointer
            low = int.from_bytes(content[at : at + more], "big")
            return kind, (high << 8 * more) + low + POINTER_BASES[more - 1], at + more
        if kind == 0:
            kind = EXTENDED + content[at]
            at += 1
        size = control & 31
        if size > SHORT_SIZE:
            more = size - SHORT_SIZE
            size = SIZE_BASES[more - 1] + int.from_bytes(content[at : at + more], "big")
            at += more
        return kind, size, at


def _remember(offsets: set[int], offset: int) -> None:
    if len(offsets) >= MOST_REMEMBERED:
        offsets.clear()
    offsets.add(offset)


class SearchTree:
    """The binary tree from an address's bits to the offset of its record."""

    __slots__ = ("_bits", "_content", "_ipv4_root", "_nodes", "_record", "_width")

    def __init__(self, content: mmap, *, nodes: int, record_size: int, ip_version: int) -> None:
        self._content = content
        self._nodes = nodes
        self._record = record_size
        self._width = record_size // 4
        self._bits = IPV4_BITS if ip_version == 4 else IPV6_BITS  # noqa: PLR2004 - the version
        self._ipv4_root = self._descend(0, 0, self._bits - IPV4_BITS)

    @property
    def size(self) -> int:
        """Bytes up to where the data section begins."""
        return self._nodes * self._width + SEPARATOR

    def find(self, address: IPv4Address | IPv6Address) -> int | None:
        """Return the offset in the data section of the address's record, or None.

        Raises:
            GeoError: the tree leads nowhere.
        """
        bits = address.max_prefixlen
        if bits > self._bits:
            return None
        root = self._ipv4_root if bits == IPV4_BITS else 0
        record = self._descend(root, int(address), bits)
        if record == self._nodes:
            return None
        if record < self._nodes + SEPARATOR:
            raise GeoError("its search tree leads nowhere")
        return record - self._nodes - SEPARATOR

    def _descend(self, node: int, path: int, bits: int) -> int:
        """Follow `bits` bits of `path` from `node`, until a record that is no node."""
        content, width, size, nodes = self._content, self._width, self._record, self._nodes
        mask = (1 << size) - 1
        for shift in range(bits - 1, -1, -1):
            if node >= nodes:
                break
            pair = int.from_bytes(content[node * width : (node + 1) * width], "big")
            if path >> shift & 1:
                node = pair & mask
            elif size == 28:  # noqa: PLR2004 - the left record's high bits stand in the middle byte
                node = pair >> 32 | (pair >> 28 & 15) << 24
            else:
                node = pair >> size
        return node
