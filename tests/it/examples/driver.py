"""A driver for PostgreSQL, as small as the tests need it: no password, one statement at a time, parameters as $1, $2."""
import re
import socket
import struct
import urllib.parse


class Error(Exception):
    """What the server refused."""

    def __init__(self, fields):
        super().__init__(fields[b"M"])
        self.sqlstate = fields[b"C"]


def literal(value):
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray)):
        return b"\\x" + value.hex().encode()
    if isinstance(value, (list, tuple)):
        return b"{" + b",".join(b'"' + literal(one).replace(b"\\", b"\\\\") + b'"' for one in value) + b"}"
    return str(value).encode()


READ = {16: lambda t: t == "t", 17: lambda t: bytes.fromhex(t[2:]), 20: int, 21: int, 23: int}


class Connection:
    """As DB-API has it: a transaction begins with the first statement."""

    def __init__(self, url):
        url = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((url.hostname, url.port or 5432))
        self.file = self.socket.makefile("rb")
        self.status, self.columns, self.rows = b"I", [], []
        words = [b"user", url.username.encode(), b"database", url.path[1:].encode(), b"client_encoding", b"UTF8",
                 b"application_name", b"example", b"", b""]
        start = struct.pack(">I", 196608) + b"\0".join(words)
        self.socket.sendall(struct.pack(">I", len(start) + 4) + start)
        self.until_ready()

    def close(self):
        self.socket.close()

    def cursor(self):
        return Cursor(self)

    def commit(self):
        if self.status != b"I":
            self.run("COMMIT")

    def rollback(self):
        if self.status != b"I":
            self.run("ROLLBACK")

    def run(self, sql, params=()):
        values = b""
        for value in map(literal, params):
            values += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
        self.send(b"P", b"\0" + sql.encode() + b"\0\0\0")
        self.send(b"B", b"\0\0\0\0" + struct.pack(">H", len(params)) + values + b"\0\0")
        self.send(b"D", b"P\0")
        self.send(b"E", b"\0" + b"\0" * 4)
        self.send(b"S", b"")
        self.until_ready()

    def send(self, kind, body):
        self.socket.sendall(kind + struct.pack(">I", len(body) + 4) + body)

    def until_ready(self):
        self.columns, self.rows, refused = None, [], None
        while True:
            head = self.file.read(5)
            if len(head) < 5:
                raise OSError("the server closed the connection")
            body = self.file.read(struct.unpack(">I", head[1:])[0] - 4)
            kind = head[:1]
            if kind == b"R" and body[:4] != b"\0\0\0\0":
                raise OSError("the server asks for a password")
            if kind == b"T":
                self.columns = [(name.decode(), struct.unpack(">I", facts[6:10])[0]) for name, facts in
                                re.findall(rb"(?s)([^\0]+)\0(.{18})", body[2:])]
            if kind == b"D":
                self.rows.append(self.row(body))
            if kind == b"E":
                refused = Error({part[:1]: part[1:].decode() for part in body.split(b"\0") if part})
            if kind == b"Z":
                self.status = body
                if refused:
                    raise refused
                return

    def row(self, body):
        at, values = 2, []
        for _, kind in self.columns:
            size = struct.unpack(">i", body[at:at + 4])[0]
            at += 4
            values.append(None if size < 0 else READ.get(kind, str)(body[at:at + size].decode()))
            at += max(size, 0)
        return tuple(values)


class Cursor:
    def __init__(self, connection):
        self.connection = connection

    def execute(self, sql, params=()):
        if self.connection.status == b"I":
            self.connection.run("BEGIN")
        self.connection.run(sql, params)
        self.description = self.connection.columns

    def fetchall(self):
        return self.connection.rows
