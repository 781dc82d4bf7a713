import socket

listener = socket.create_server(("127.0.0.1", 8765))
print("listening", flush=True)
while True:
    person, address = listener.accept()  # waits until somebody comes
    with person:
        try:
            person.sendall(b"hello, type a line\n")
            line = person.recv(1024)  # waits until he has typed it
            person.sendall(b"received: " + line)
        except ConnectionError:
            print("left", address, flush=True)
