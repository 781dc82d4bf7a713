"""Who was the limit: the server, we, or neither."""

from __future__ import annotations

from typing import Final, Literal

from .result import Generator, Server

Limit = Literal["server", "generator", "both", "neither", "machine", "unknown"]

BUSY: Final = 0.93  # of a processor: somebody with less to do waits for somebody else
SHORT: Final = 0.1  # of the time waited for a processor


def judge(generator: Generator, server: Server | None) -> tuple[Limit, str]:
    """A word for programs and a sentence for people."""
    ours = f"the generator was busy {generator.busy:.0%} of a processor"
    if server is None or server.busy is None:
        if generator.busy >= BUSY:
            return "generator", f"{ours}: a faster one may see more; start several side by side"
        return "unknown", f"{ours}, so it was not the limit; the server's share is not known"
    both = f"{ours}, the server ({server.name}) {server.busy:.0%}"
    if generator.busy >= BUSY and server.busy >= BUSY:
        return "both", f"{both}: they are about equal, and the server may be able to do a bit more"
    if generator.busy >= BUSY:
        return "generator", f"{both}: the server can do more; start several generators"
    if server.busy >= BUSY:
        return "server", f"{both}: this is what the server can do"
    if max(generator.waited, server.waited or 0.0) >= SHORT:
        waits = f"{generator.waited:.0%} and {server.waited or 0:.0%} of the time"
        return "machine", f"{both}: they waited for a processor {waits}, which others had"
    return "neither", f"{both}: neither was the limit; they waited for each other"
