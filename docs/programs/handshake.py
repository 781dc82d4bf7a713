import base64
import hashlib

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # from RFC 6455, the same for everybody

REFUSAL = (
    b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 20\r\n\r\nWebSockets are here\n"
)


def proof(key):
    digest = hashlib.sha1((key + GUID).encode()).digest()
    return base64.b64encode(digest).decode()


def answer(head):
    """The answer to a request, and whether it opens a WebSocket."""
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "sec-websocket-key" not in headers:
        return REFUSAL, False
    accept = proof(headers["sec-websocket-key"])
    return (
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode(), True


if __name__ == "__main__":
    print(proof("dGhlIHNhbXBsZSBub25jZQ=="))
