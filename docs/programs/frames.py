FIN, TEXT, CLOSE, PING, PONG = 0x80, 1, 8, 9, 10


def frame(opcode, payload):
    """A frame as a server sends it: whole, and not masked."""
    size = len(payload)
    if size < 126:
        head = bytes((FIN | opcode, size))
    elif size < 65536:
        head = bytes((FIN | opcode, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((FIN | opcode, 127)) + size.to_bytes(8, "big")
    return head + payload


def take(buffer):
    """Take the first frame out of a bytearray: FIN, opcode, payload.

    None when it has not come whole; then nothing is taken.
    """
    if len(buffer) < 2:
        return None
    size, at = buffer[1] & 0x7F, 2
    if size >= 126:
        at += 2 if size == 126 else 8
        size = int.from_bytes(buffer[2:at], "big")
    end = at + 4 + size
    if len(buffer) < end:
        return None
    first, key = buffer[0], buffer[at : at + 4]
    payload = bytes(octet ^ key[i % 4] for i, octet in enumerate(buffer[at + 4 : end]))
    del buffer[:end]
    return first & FIN, first & 0x0F, payload


if __name__ == "__main__":
    print(frame(TEXT, b"hello").hex(" "))
    came = bytearray.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58")
    print(take(came))
