// A driver for PostgreSQL, as small as the tests need it and of the shape of `pg`: no password, parameters as $1, $2.
import { createConnection } from "node:net";

const int32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(number);
  return bytes;
};
const message = (kind, ...parts) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from(kind), int32(body.length + 4), body]);
};
const literal = (value) => {
  if (Array.isArray(value)) return `{${value.map((one) => `"${literal(one).replaceAll("\\", "\\\\")}"`).join(",")}}`;
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : String(value);
};
// As `pg` reads them: a bigint is a string.
const read = { 16: (text) => text === "t", 17: (text) => Buffer.from(text.slice(2), "hex"), 21: Number, 23: Number };

export class Client {
  #socket; #answer; #buffer = Buffer.alloc(0);

  constructor(url) {
    this.url = new URL(url);
  }

  connect() {
    this.#socket = createConnection(Number(this.url.port || 5432), this.url.hostname);
    this.#socket.on("data", (data) => this.#read(data));
    this.#socket.on("error", (error) => this.#end(error));
    this.#socket.on("close", () => this.#end(new Error("the server closed the connection")));
    const words = ["user", this.url.username, "database", this.url.pathname.slice(1), "client_encoding", "UTF8",
      "application_name", "example", ""];
    const start = Buffer.concat([int32(196608), Buffer.from(words.map((word) => `${word}\0`).join(""))]);
    return this.#ask(Buffer.concat([int32(start.length + 4), start]));
  }

  query(sql, params = []) {
    const values = params.map((value) => {
      if (value === null || value === undefined) return int32(-1);
      const bytes = Buffer.from(literal(value));
      return Buffer.concat([int32(bytes.length), bytes]);
    });
    const bind = [Buffer.from([0, 0, 0, 0, 0, params.length]), ...values, Buffer.from([0, 0])];
    return this.#ask(Buffer.concat([
      message("P", `\0${sql}\0\0\0`), message("B", ...bind), message("D", "P\0"), message("E", "\0\0\0\0\0"), message("S"),
    ]));
  }

  end() {
    this.#socket.destroy();
  }

  // One question after the other: an application awaits each.
  #ask(bytes) {
    return new Promise((resolve, reject) => {
      if (this.#answer) throw new Error("a question is still open on this connection");
      if (this.#socket.destroyed) throw new Error("the server closed the connection");
      this.#answer = { resolve, reject, columns: [], rows: [] };
      this.#socket.write(bytes);
    });
  }

  #end(error) {
    this.#answer?.reject(error);
    this.#answer = undefined;
  }

  #read(data) {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    while (this.#buffer.length >= 5 && this.#buffer.length > this.#buffer.readInt32BE(1)) {
      const end = this.#buffer.readInt32BE(1) + 1;
      this.#take(String.fromCharCode(this.#buffer[0]), this.#buffer.subarray(5, end));
      this.#buffer = this.#buffer.subarray(end);
    }
  }

  #take(kind, body) {
    const answer = this.#answer;
    if (!answer) return; // the server ends the connection
    if (kind === "R" && body.readInt32BE(0) !== 0) this.#end(new Error("the server asks for a password"));
    if (kind === "E") {
      const fields = Object.fromEntries(body.toString().split("\0").filter(Boolean).map((part) => [part[0], part.slice(1)]));
      answer.refused = Object.assign(new Error(fields.M), { code: fields.C });
    }
    if (kind === "T") {
      for (let at = 2; at < body.length;) {
        const zero = body.indexOf(0, at);
        answer.columns.push([body.toString("utf8", at, zero), body.readInt32BE(zero + 7)]);
        at = zero + 19;
      }
    }
    if (kind === "D") {
      let at = 2;
      answer.rows.push(Object.fromEntries(answer.columns.map(([name, type]) => {
        const size = body.readInt32BE(at);
        const text = body.toString("utf8", at + 4, at + 4 + Math.max(size, 0));
        at += 4 + Math.max(size, 0);
        return [name, size < 0 ? null : (read[type] ?? String)(text)];
      })));
    }
    if (kind === "Z") {
      this.#answer = undefined;
      if (answer.refused) answer.reject(answer.refused);
      else answer.resolve({ rows: answer.rows });
    }
  }
}

export class Pool {
  constructor(url) {
    this.url = url;
  }

  async connect() {
    const client = new Client(this.url);
    await client.connect();
    client.release = () => client.end();
    return client;
  }
}
