"""socketify: uWebSockets, called from Python through cffi."""

from __future__ import annotations

import argparse
from typing import Any

from socketify import App, AppListenOptions, AppOptions, CompressOptions


def echo(ws: Any, message: Any, opcode: Any) -> None:
    ws.send(message, opcode)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--work", choices=("echo", "fanout"), default="echo")
    parser.add_argument("--tls", metavar="PEM", help="certificate and key")
    parser.add_argument("--deflate", action="store_true")
    return parser.parse_args()


def main(chosen: argparse.Namespace) -> None:
    tls = AppOptions(cert_file_name=chosen.tls, key_file_name=chosen.tls) if chosen.tls else None
    app = App(tls)

    def share(ws: Any, message: Any, opcode: Any) -> None:
        app.publish("everybody", message, opcode, chosen.deflate)

    compression = CompressOptions.SHARED_COMPRESSOR if chosen.deflate else CompressOptions.DISABLED
    behavior: dict[str, Any] = {
        "compression": compression,
        "max_payload_length": 2**24,
        "max_backpressure": 2**26,
        "idle_timeout": 120,
        "message": echo,
    }
    if chosen.work == "fanout":
        behavior |= {"message": share, "open": lambda ws: ws.subscribe("everybody")}
    app.ws("/*", behavior)
    app.listen(
        AppListenOptions(port=chosen.port, host="127.0.0.1"),
        lambda config: print("listening", config.port, flush=True),
    )
    app.run()


if __name__ == "__main__":
    main(arguments())
