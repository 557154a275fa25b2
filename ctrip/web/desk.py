"""Who answers a path, and what is said where nobody does, or where it goes wrong.

Starlette's own routes and middleware would hand each request through eight functions, and
each part of its answer through five more: a third of what a create takes. Paths are few and
known, so a table does; the shapes of paths are still Starlette's.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from ctrip.web.problems import MethodNotAllowed, NotFound, answer_to

Page: TypeAlias = Callable[[Request], Awaitable[Response]]
Pages: TypeAlias = Mapping[str, Page]  # by method


class Desk:
    """Hands each request to its page."""

    def __init__(self, paths: Mapping[str, Pages]) -> None:
        self._plain = {path: pages for path, pages in paths.items() if "{" not in path}
        self._shaped: list[tuple[re.Pattern[str], Pages]] = [
            (compile_path(path)[0], pages) for path, pages in paths.items() if "{" in path
        ]

    async def answer(self, request: Request) -> Response:
        """Return what the page answers, or says instead."""
        try:
            return await self._page(request)(request)
        except Exception as fault:  # noqa: BLE001  the last to see it, whatever it is
            return answer_to(fault)

    def _page(self, request: Request) -> Page:
        pages, method = self._pages(request), request.method
        # What may be read may be asked for with HEAD too.
        page = pages.get("GET" if method == "HEAD" else method)
        if page is None:
            raise MethodNotAllowed([*pages, "HEAD"] if "GET" in pages else [*pages])
        return page

    def _pages(self, request: Request) -> Pages:
        path = request.scope["path"]
        if path in self._plain:
            return self._plain[path]
        for shape, pages in self._shaped:
            if found := shape.match(path):
                request.scope["path_params"] = found.groupdict()
                return pages
        raise NotFound("No such resource")
