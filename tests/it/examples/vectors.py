"""docs/examples/phiseal.py opens, seals and indexes every worked value. Arguments: the folder of the
module, the file of the worked values."""
import json
import sys

sys.path.insert(0, sys.argv[1])
from phiseal import Field, Keys  # noqa: E402

with open(sys.argv[2], encoding="utf-8") as file:
    worked = json.load(file)


class OneKey:
    """Stands for the key table: one key, under the id of the worked value."""

    def __init__(self, key_id, key):
        self.key_id, self.key = key_id, bytes.fromhex(key)

    def active(self, tenant, purpose):
        return self.key_id, self.key

    def named(self, tenant, key_id):
        assert key_id == self.key_id
        return self.key


def part(one):
    value = one["value"]
    if one["type"] == "bytes":
        value = bytes.fromhex(value)
    elif one["type"] == "bool":
        value = str(value).lower() == "true"
    return one["type"], value


wrapped = worked["wrapped_data_key"]
row = (7, wrapped["tenant"], "cell", 1, "active", bytes.fromhex(wrapped["wrapped"]), bytes.fromhex(worked["check_value"]))
keys = Keys(worked["wrapping_key_file"], lambda query: [row])
assert keys.active("clinic-1", "cell") == (7, bytes.fromhex(worked["data_key"]))

for cell in worked["cells"]:
    field = Field(OneKey(cell["key_id"], worked["data_key"]), cell["table"], cell["column"], pad_to=cell["bucket"])
    key, tenant = [part(one) for one in cell["row_key"]], cell["tenant"]
    assert field.open(key, bytes.fromhex(cell["envelope"]), tenant) == cell["plaintext"], cell["name"]
    sealed = field.seal(key, cell["plaintext"], tenant)
    assert len(sealed) * 2 == len(cell["envelope"]), cell["name"]
    assert field.open(key, sealed, tenant) == cell["plaintext"], cell["name"]

for example in worked["blind_indexes"]:
    keys = OneKey(9, worked["blind_index_key"])
    field = Field(keys, example["table"], example["column"], example["normaliser"], example["bits"])
    index = field.index(example["raw"], example["tenant"])
    assert (index.hex() if index else None) == example["index"], example["raw"]

print(len(worked["cells"]) + len(worked["blind_indexes"]))
