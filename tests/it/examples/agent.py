"""An application that does what a test tells it, one JSON object a line, and answers likewise. Arguments: the folder of the
module phiseal, the database's URL, the file of the wrapping key, seconds between two loads of the keys."""
import datetime
import decimal
import json
import sys
import time
import traceback
import uuid
from contextlib import contextmanager

folder, url, key_file, refresh = sys.argv[1:]
sys.path.insert(0, folder)
import driver  # noqa: E402
import phiseal  # noqa: E402

real, shift, broken = time.monotonic, 0, False
time.monotonic = lambda: real() + shift
calls = 0


def connect():
    if broken:
        raise OSError("cannot connect")
    return driver.Connection(url)


@contextmanager
def without_mark():
    with phiseal.transaction_on(driver.Connection(url)) as query:
        yield lambda sql, params=(): query(sql.replace("phiseal.sealer", "application.name"), params)


def part(one):
    if one["type"] == "bytes":
        return bytes.fromhex(one["value"])
    return int(one["value"]) if one["type"] in ("int", "timestamp") else one["value"]


def told(value):
    """A value of the test's as one of Python's."""
    if isinstance(value, dict):
        return {"bytes": bytes.fromhex, "date": datetime.date.fromisoformat, "decimal": decimal.Decimal,
                "uuid": uuid.UUID, "time": datetime.datetime.fromisoformat}[value["as"]](value["value"])
    return value


def shown(value):
    return {"as": "bytes", "value": value.hex()} if isinstance(value, bytes) else value


def answer(client, do, **told_of):
    global calls, shift, broken
    if do == "load":
        return client.load()
    if do == "later":
        shift += told_of["seconds"]
        return None
    if do == "break":
        broken = True
        return None
    field = client.field(*told_of["field"], text=told_of.get("text", False))
    tenant = told_of.get("tenant", "")
    value = told(told_of.get("value"))
    key = [part(one) for one in told_of.get("key", [])]
    if do == "open":
        opened = field.open(key, told(told_of["sealed"]), tenant)
        return {"bytes": field.open_bytes(key, told(told_of["sealed"]), tenant).hex(), "type": type(opened).__name__,
                "value": opened.hex() if isinstance(opened, bytes) else str(opened)}
    if do == "seal":
        return [shown(one) for one in field.seal(key, value, tenant)]
    if do == "lookups":
        return [index.hex() for index in field.lookups(value, tenant)]
    if do == "write":
        calls = 0

        def work(tx):
            global calls
            calls += 1
            sealed, index = tx.seal(field, key, value, tenant)
            rows = tx.query(told_of["sql"], [*map(told, told_of["params"]), sealed, *([index] if told_of.get("index") else [])])
            if "then" in told_of:
                rows = tx.query(told_of["then"])
            return len(rows)
        begin = without_mark if told_of.get("unmarked") else driver.Connection(url)
        rows = client.transaction(begin, work)
        return {"rows": rows, "calls": calls}
    raise ValueError(do)


made = None
for line in sys.stdin:
    try:
        made = made or phiseal.Client(phiseal.key_from_file(key_file), phiseal.own_connection(connect), refresh=float(refresh))
        said = {"done": answer(made, **json.loads(line))}
    except Exception as error:
        said = {"error": type(error).__name__, "message": str(error), "shown": traceback.format_exc()}
    print(json.dumps(said), flush=True)
