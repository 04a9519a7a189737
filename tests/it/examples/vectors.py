"""The module phiseal opens, seals and indexes every worked value. Arguments: the module's folder, the file of these."""
import json
import sys

sys.path.insert(0, sys.argv[1])
from phiseal import format, values  # noqa: E402

with open(sys.argv[2], encoding="utf-8") as file:
    worked = json.load(file)
TAGS = {"int": "i", "uuid": "u", "text": "t", "numeric": "n", "date": "d", "timestamp": "z", "bytes": "b", "bool": "o"}


def part(one):
    value = one["value"]
    if one["type"] == "bytes":
        return bytes.fromhex(value)
    if one["type"] == "bool":
        return str(value).lower() == "true"
    return int(value) if one["type"] in ("int", "timestamp") else value


wrapped, wrapping = worked["wrapped_data_key"], format.wrapping_key(worked["wrapping_key_file"])
data_key, index_key = bytes.fromhex(worked["data_key"]), bytes.fromhex(worked["blind_index_key"])
assert wrapping.hex() == worked["wrapping_key"]
assert format.reference(wrapping) == worked["wrapping_key_reference"]
assert data_key == format.unwrap(wrapping, wrapped["key_id"], "cell", wrapped["tenant"], bytes.fromhex(wrapped["wrapped"]),
                                 bytes.fromhex(worked["check_value"]))

for cell in worked["cells"]:
    context = format.context_of(cell["tenant"], cell["table"], cell["column"])
    row_key = values.row_key_of([TAGS[one["type"]] for one in cell["row_key"]], [part(one) for one in cell["row_key"]])
    assert row_key.hex() == cell["row_key_bytes"], cell["name"]
    plain, envelope = cell["plaintext"].encode(), bytes.fromhex(cell["envelope"])
    format.os.urandom = lambda size: bytes.fromhex(cell["nonce"])
    assert format.seal(cell["key_id"], data_key, context, row_key, plain, cell["bucket"]) == envelope, cell["name"]
    assert format.key_id_of(envelope) == cell["key_id"]
    assert format.open_(data_key, context, row_key, envelope) == plain, cell["name"]
    assert format.to_text(envelope) == cell["text"]
    assert format.from_text(cell["text"]) == envelope
    for altered in (cell["text"] + "=", cell["text"] + "A", cell["text"][:-1], "ps2" + cell["text"][3:]):
        try:
            format.open_(data_key, context, row_key, format.from_text(altered))
            raise AssertionError(cell["name"])
        except format.DoesNotOpen:
            pass

for example in worked["blind_indexes"]:
    context = format.context_of(example["tenant"], example["table"], example["column"])
    index = format.blind_index(index_key, context, example["normaliser"], example["bits"], example["raw"])
    assert (index.hex() if index else None) == example["index"], example["raw"]

print(len(worked["cells"]) + len(worked["blind_indexes"]))
