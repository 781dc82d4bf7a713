import select
import socket

from frames import CLOSE, FIN, PING, PONG, TEXT, frame, take
from handshake import answer


class User:
    def __init__(self, sock):
        self.sock = sock
        self.open = False  # the handshake is over
        self.buffer = bytearray()  # octets that are no whole frame yet
        self.parts = b""  # fragments of a message that is not whole yet


class Room:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 8765))
        self.users = {}

    # What a program built on this would write: three callbacks.

    def added(self, user):
        print("added", user.sock.fileno(), flush=True)

    def sent(self, user, text):
        for other in self.users.values():
            if other.open:
                other.sock.sendall(frame(TEXT, text))

    def closed(self, user):
        print("closed", flush=True)

    # The rest it would never see again.

    def run(self):
        while True:
            ready, _, _ = select.select([self.listener, *self.users], [], [])
            for sock in ready:
                if sock is self.listener:
                    person, _ = self.listener.accept()
                    self.users[person] = User(person)
                else:
                    self.read(self.users[sock])

    def read(self, user):
        data = user.sock.recv(65536)
        user.buffer += data
        if not user.open and b"\r\n\r\n" in user.buffer:
            self.shake_hands(user)
        while user.open and (found := take(user.buffer)):
            self.obey(user, *found)
        if not data:
            self.remove(user)

    def shake_hands(self, user):
        head, _, rest = user.buffer.partition(b"\r\n\r\n")
        said, user.open = answer(head)
        user.sock.sendall(said)
        user.buffer = rest
        if user.open:
            self.added(user)

    def obey(self, user, fin, opcode, payload):
        if opcode == PING:
            user.sock.sendall(frame(PONG, payload))
        elif opcode == CLOSE:
            user.sock.sendall(frame(CLOSE, payload))  # say it back, then hang up
            user.sock.shutdown(socket.SHUT_WR)
            user.open = False
        elif opcode < CLOSE:
            user.parts += payload
            if fin == FIN:
                message, user.parts = user.parts, b""
                self.sent(user, message)

    def remove(self, user):
        del self.users[user.sock]
        user.sock.close()
        self.closed(user)


if __name__ == "__main__":
    room = Room()
    print("listening", flush=True)
    room.run()
