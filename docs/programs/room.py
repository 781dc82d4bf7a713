import select
import socket

listener = socket.create_server(("127.0.0.1", 8765))
print("listening", flush=True)
people = set()
while True:
    ready, _, _ = select.select([listener, *people], [], [], None)
    for sock in ready:
        if sock is listener:
            person, address = listener.accept()
            people.add(person)
            print("added", address, flush=True)
        elif data := sock.recv(4096):
            for person in people - {sock}:
                person.sendall(data)
        else:
            people.remove(sock)
            sock.close()
            print("closed", flush=True)
