"""Endpoints as chains.yaml has them: URLs that may hold ${NAME}, which is looked up late.

Nobody has the API keys of chains that they do not use, so a variable is read, and missed, only
where its chain is in use.
"""

import re
from collections.abc import Callable
from typing import Final

from ctrip.checks import WEB, Unusable, is_url

VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def complete(template: str, lookup: Callable[[str], str], label: str, faults: list[str]) -> str:
    """Replace each ${NAME} of an endpoint by what it holds."""
    before, held = len(faults), {}
    for name in VARIABLE.findall(template):
        try:
            held[name] = lookup(name)
        except Unusable as fault:
            faults.append(f"{label}: ${{{name}}} {fault}")
    if len(faults) > before:
        return ""
    url = VARIABLE.sub(lambda found: held[found[1]], template)
    if not is_url(url, WEB):
        faults.append(f"{label}: is no http(s) URL once its variables are filled in; correct them")
    return url


def variables(text: str) -> set[str]:
    """Return the names of all variables that the file mentions."""
    return set(VARIABLE.findall(text))


def endpoint(template: str) -> None:
    """Look at an endpoint as far as that goes before its variables are filled in."""
    if "${" in VARIABLE.sub("", template):
        raise Unusable("has a ${ that begins no variable; write ${NAME}")
    whole = VARIABLE.match(template)  # the variable may hold the URL from its scheme on
    if not whole and not is_url(VARIABLE.sub("1", template), WEB):
        raise Unusable("must be an http:// or https:// URL")


def endpoints(templates: tuple[str, ...]) -> None:
    """Look at every endpoint, of which there must be one."""
    if not templates:
        raise Unusable("must name one endpoint at least")
    for template in templates:
        endpoint(template)
