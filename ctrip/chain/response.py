"""An HTTP/1.1 response while it comes in (RFC 9112).

llhttp reads heads and chunks, and refuses what can be read in two ways. A body whose length
the head tells is not shown to it: it lies where it belongs as soon as it is received. So does
one that ends with its connection. Chunks are joined in place, because what they hold is
always shorter than they are.

Nothing here waits or sends: whoever has a connection asks for room, fills it, and says how
much came.
"""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from ctrip.chain.body import Body

ANSWER_BYTES_MAX: Final = 64 * 2**20  # more than twice what geth puts into one answer (25 MB)
EXCUSE_BYTES_MAX: Final = 2**16  # of an answer that is none; only its words are of interest
HEAD_BYTES_MAX: Final = 2**16
HEAD_END: Final = b"\r\n\r\n"
HTTP_OK: Final = 200


class NotHttp(Exception):
    """What came is no response."""


class TooLong(Exception):
    """The response is longer than any that we ask for."""


class Response:
    """What has come of a response. The body is complete once it `is_whole`."""

    def __init__(self, body: Body) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}  # by their names in lower case
        self.has_begun = False
        self.is_whole = False
        self.leaves_open = False  # the connection may be used again
        self._body = body
        self._parser = HttpResponseParser(self)
        self._read = 0  # bytes of the memory that the parser had as a head
        self._is_headed = False  # the head is over
        self._is_chunked = False
        self._ends_at: int | None = None  # in the memory, where the head told it

    @property
    def size_max(self) -> int:
        """Bytes that the body may have; of a refusal those that are read of it."""
        return ANSWER_BYTES_MAX if self.status == HTTP_OK else EXCUSE_BYTES_MAX

    def within(self, size: int) -> int:
        """Return how many of so many bytes to take: of a refusal the beginning. Raises TooLong."""
        if size > self.size_max and self.status == HTTP_OK:
            raise TooLong
        return min(size, self.size_max)

    def room(self) -> memoryview:
        """Return memory for what comes next; one byte more than is due shows who sends more."""
        if self._ends_at is None:
            return self._body.room()
        return self._body.room(self._ends_at - self._body.end + 1)

    def received(self, size: int) -> None:
        """Look at the bytes that came into the room. Raises NotHttp and TooLong."""
        self.has_begun = True
        if self.is_whole:
            self.leaves_open = False
            return
        self._body.end += size
        try:
            if self._is_headed:
                self._go_on(size)
            else:
                self._begin()
        except HttpParserUpgrade:
            raise NotHttp from None  # to something that was not asked for
        except HttpParserError:
            self.leaves_open = False
            if not self.is_whole:
                raise NotHttp from None

    def closed(self) -> None:
        """Look at what there is when the connection has ended: that may be the body's end."""
        self.leaves_open = False
        if self._is_headed and not self._is_chunked and self._ends_at is None:
            self.is_whole = True

    # What the parser tells; of what follows a whole response, which may come with it, nothing

    def on_message_begin(self) -> None:
        self.leaves_open = self.leaves_open and not self.is_whole

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_whole:
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        if self.is_whole:
            return
        self._is_headed = True
        self.status = self._parser.get_status_code()
        self.leaves_open = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        if not self.is_whole:
            self._body.add(piece)

    def on_message_complete(self) -> None:
        self.is_whole = True

    # The head, then the body

    def _begin(self) -> None:
        """Read the head; what follows it is the body's."""
        while self._read < self._body.end and self._read_head():
            if self.status >= HTTP_OK or not self.leaves_open:
                self._place_body()
                self._go_on(self._body.end - self._read)
                return
            # An interim response, such as 103: the final one follows (RFC 9110, 15.2).
            if not self.is_whole:
                raise NotHttp  # it has a body
            self.headers, self.is_whole, self._is_headed = {}, False, False

    def _read_head(self) -> bool:
        """Show the parser the head as far as it came, and nothing else; tell whether it is over."""
        memory, end = self._body.memory, self._body.end
        found = memory.find(HEAD_END, max(0, self._read - len(HEAD_END) + 1), end)
        piece_from, self._read = self._read, found + len(HEAD_END) if found >= 0 else end
        self._parser.feed_data(bytes(memory[piece_from : self._read]))
        if self._read > HEAD_BYTES_MAX or self._is_headed != (found >= 0):
            raise NotHttp
        return self._is_headed

    def _place_body(self) -> None:
        """See where the body begins, and where it ends if that is told."""
        self._body.start = self._read
        self._is_chunked = "transfer-encoding" in self.headers
        if self.is_whole or self._is_chunked or "content-length" not in self.headers:
            return
        length = int(self.headers["content-length"])
        taken = self.within(length)
        self.leaves_open = self.leaves_open and taken == length
        self._ends_at = self._read + taken

    def _go_on(self, size: int) -> None:
        """Take the last bytes that were received as the body's."""
        body = self._body
        if self._is_chunked:
            body.end -= size
            with memoryview(body.memory)[body.end : body.end + size] as piece:
                self._parser.feed_data(piece)
        elif self._ends_at is not None or self.is_whole:
            ends_at = self._ends_at or body.start
            self.is_whole = body.end >= ends_at
            self.leaves_open = self.leaves_open and body.end <= ends_at
            body.end = min(body.end, ends_at)
        if (taken := self.within(body.size)) < body.size:
            self.is_whole, self.leaves_open = True, False
            body.end = body.start + taken
