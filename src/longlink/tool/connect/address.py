"""What somebody types for a URI, and the URI that is meant."""

from __future__ import annotations

import re
from typing import Final

from ...errors import is_secret

_SCHEMES: Final = {"http": "ws", "https": "wss"}
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_HOST: Final = "localhost"
_PARAMETER: Final = re.compile(r"([?&])([^=&]*)=([^&]+)")
_SECURE_PORT: Final = re.compile(r"[^/?]*:443(?:[/?]|$)")


def meant(typed: str) -> str:
    """The URI: `http` becomes `ws`, a bare `host:port`, `:port` or `port` gets a scheme.

    Whether it is a good one is for `connect` to say.
    """
    typed = typed.strip()
    if found := _SCHEME.match(typed):
        scheme = found[1].lower()
        return f"{_SCHEMES.get(scheme, scheme)}://{typed[found.end() :]}"
    place = typed.removeprefix("//")
    if re.match(r"[0-9]{1,5}(?:[/?]|$)", place):
        place = f":{place}"
    if place.startswith((":", "/")) and not place.startswith("::"):
        place = _HOST + place
    return f"{'wss' if _SECURE_PORT.match(place) else 'ws'}://{place}"


def discreet(target: str) -> str:
    """A URI or its path without the values of parameters that are nobody else's business."""

    def masked(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}={'…' if is_secret(found[2]) else found[3]}"

    return _PARAMETER.sub(masked, target)
