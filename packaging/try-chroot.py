"""Runs phiseal as the user of the image, in ROOT, which has the image's files and nothing else.

It demonstrates itself, and it finds a server by its name, in /etc/hosts and by DNS, without any library: the program is
linked with all it needs for that. To be run in namespaces of its own for mounts and the network (`unshare -m -n`)."""

import fcntl
import itertools
import os
import socket
import struct
import subprocess
import sys
import threading

ROOT = sys.argv[1]
PHISEAL = ["chroot", "--userspec=65532:65532", ROOT, "/usr/bin/phiseal"]
ALONE = {"PATH": os.environ["PATH"]}
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def loopback_up():
    with socket.socket() as any_socket:
        request = struct.pack("16sh", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def forbid_libraries():
    """Has /etc/nsswitch.conf name libraries, as it does on many systems, each of which is a pipe that nobody writes to. A
    static program that loads one of them may crash, if it is made for another version of glibc; this one waits for ever."""
    services = ["mymachines", "resolve", "mdns4_minimal", "myhostname"]
    folders = ["lib", "usr/lib", "lib64", "usr/lib64"]
    triplet = os.uname().machine + "-linux-gnu"
    with open(f"{ROOT}/etc/nsswitch.conf", "w", encoding="ascii") as conf:
        conf.write(f"hosts: {' '.join(services)} files dns\npasswd: {' '.join(services)} files\n")
    for folder, below, service in itertools.product(folders, ["", triplet], services):
        place = os.path.join(ROOT, folder, below)
        os.makedirs(place, exist_ok=True)
        os.mkfifo(os.path.join(place, f"libnss_{service}.so.2"))


def answer_dns(server):
    """127.0.0.1 for every name, in an A record; no other records."""
    while True:
        query, client = server.recvfrom(512)
        end = query.index(0, 12) + 5
        question = query[12:end]
        is_a = question[-4:-2] == b"\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1" if is_a else b""
        head = query[:2] + b"\x81\x80" + struct.pack(">4H", 1, is_a, 0, 0)
        server.sendto(head + question + answer, client)


def reaches(name, server):
    """Whether phiseal connects to the server of this name, and begins TLS there, for which it needs authorities."""
    url = f"postgres://nobody@{name}/none"
    command = [*PHISEAL, "init", "--table", "t", "--column", "c", "--database-url", url]
    with subprocess.Popen(command, env=ALONE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            client, _ = server.accept()
            client.settimeout(20)
            with client:
                assert client.recv(8) == SSL_REQUEST, f"{name}: no TLS was asked for"
                client.sendall(b"S")
                assert client.recv(1) == b"\x16", f"{name}: no TLS handshake began"
        except TimeoutError:
            process.kill()
            raise AssertionError(f"{name}: {process.stderr.read().decode()}") from None
        finally:
            process.kill()


def main():
    loopback_up()
    forbid_libraries()
    # What an engine gives every container.
    subprocess.run(["mount", "-t", "proc", "proc", f"{ROOT}/proc"], check=True)
    subprocess.run(["mount", "--bind", "/dev", f"{ROOT}/dev"], check=True)
    demo = subprocess.run([*PHISEAL, "demo", "--rows", "2000", "--json"], env=ALONE, capture_output=True, text=True)
    assert demo.returncode == 0 and '"failed":0' in demo.stdout, demo.stdout + demo.stderr
    dns = socket.socket(type=socket.SOCK_DGRAM)
    dns.bind(("127.0.0.1", 53))
    threading.Thread(target=answer_dns, args=[dns], daemon=True).start()
    with socket.create_server(("127.0.0.1", 5432)) as server:
        server.settimeout(20)
        for name in ["listed.example", "by-dns.example"]:
            reaches(name, server)


main()
