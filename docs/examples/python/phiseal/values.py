"""Row keys, and values of each type: how Python's values become the bytes of docs/FORMAT.md, and back."""
import datetime
import decimal
import re
import uuid

from .errors import DoesNotOpen, WrongInput
from .format import be, lp

UTC = datetime.timezone.utc


# ---- Row keys. Each function takes the value of one key column, and raises ValueError where it does not fit. ----

def _integer(value):
    number = int(value) if type(value) is int or re.fullmatch(r"-?\d+", value, re.ASCII) else 2**63
    if not -2**63 <= number < 2**63:
        raise ValueError
    return be(number, 8)


def _numeric(value):
    text = format(value, "f") if type(value) in (int, decimal.Decimal) else value
    sign, whole, fraction = re.fullmatch(r"(-?)0*(\d+)(?:\.(\d*?)0*)?", text, re.ASCII).groups()
    text = whole + ("." + fraction if fraction else "")
    return ("0" if text == "0" else sign + text).encode()


def _date(value):
    text = value.isoformat() if type(value) is datetime.date else value
    if datetime.date.fromisoformat(text).isoformat() != text:
        raise ValueError
    return text.encode()


def _timestamp(value):
    if isinstance(value, datetime.datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - datetime.datetime(1970, 1, 1, tzinfo=UTC)
        value = since // datetime.timedelta(microseconds=1)
    if type(value) is not int or not -210_866_803_200_000_000 <= value < 2**63 - 1:
        raise ValueError
    return be(value, 8)


def _boolean(value):
    if type(value) is not bool:
        raise ValueError
    return bytes([value])


def _bytes(value):
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise ValueError
    return bytes(value)


KEY_PARTS = {
    "i": _integer,  # an int, or its digits
    "u": lambda value: uuid.UUID(str(value)).bytes,
    "t": lambda value: value.encode(),  # char(n): without its trailing blanks
    "n": _numeric,  # a Decimal, an int, or their text
    "d": _date,  # a date, or YYYY-MM-DD
    "z": _timestamp,  # a datetime (without a zone: UTC), or microseconds since 1970 UTC
    "b": _bytes,
    "o": _boolean,
}


def _tag_in_sqlite(value):
    return "i" if type(value) is int else "t" if type(value) is str else "b"


def row_key_of(tags, values):
    """The bytes of a row's key. `tags` is the field's `key_types`, `values` one value for each, in their order; or a
    value that is no list, where the key has one column. Raises WrongInput."""
    values = values if isinstance(values, (list, tuple)) else [values]
    if len(values) != len(tags):
        raise WrongInput(f"the row's key has {len(tags)} columns, and {len(values)} were given")
    parts = b""
    for at, (tag, value) in enumerate(zip(tags, values), 1):
        tag = _tag_in_sqlite(value) if tag == "*" else tag
        try:
            parts += lp(tag.encode() + KEY_PARTS[tag](value))
        except (ValueError, TypeError, AttributeError, OverflowError, ArithmeticError):
            raise WrongInput(f"column {at} of the row's key takes no such value (its type is `{tag}`)") from None
    return parts


# ---- Values. The plaintext is the text that PostgreSQL itself makes of a value; here are the types that Python has. ----

def _text_of_time(zone):
    def write(value):
        if type(value) is not datetime.datetime or bool(value.tzinfo) != zone:
            return None
        text = (value.astimezone(UTC) if zone else value).replace(tzinfo=None).isoformat(" ")
        return (text.rstrip("0") if "." in text else text) + ("+00" if zone else "")
    return write


def _text_of_number(value):
    return format(decimal.Decimal(value), "f") if type(value) in (int, decimal.Decimal) else None


def _date_of(text):
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return text  # infinity, or a year that Python has not


DAY = r"(\d{4}|[1-9]\d{4,})-\d\d-\d\d"
TIME = DAY + r" \d\d:\d\d:\d\d(\.\d{1,6})?"
WHOLE = (r"0|-?[1-9]\d*", lambda value: str(value) if type(value) is int else None, int)
# For each type: the form of its text; a Python value to text, or None; the text to a Python value.
TYPES = {
    "smallint": WHOLE, "integer": WHOLE, "bigint": WHOLE,
    "boolean": ("true|false", lambda value: str(value).lower() if type(value) is bool else None, "true".__eq__),
    "uuid": (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
             lambda value: str(value) if type(value) is uuid.UUID else None, uuid.UUID),
    "numeric": (r"-?\d+(\.\d+)?|NaN|-?Infinity", _text_of_number, decimal.Decimal),
    "date": (DAY + "( BC)?|-?infinity", lambda value: value.isoformat() if type(value) is datetime.date else None, _date_of),
    "timestamp without time zone": (TIME + "( BC)?|-?infinity", _text_of_time(False), str),
    "timestamp with time zone": (TIME + r"\+00( BC)?|-?infinity", _text_of_time(True), str),
}
TEXT = ("(?s:.*)", lambda value: None, str)


class Type:
    """The type of a plaintext column, by the name that the registry has for it."""

    def __init__(self, name, sqlite=False):
        bare = re.sub(r"\([^)]*\)", "", name)
        self.name = name
        self.is_bytes = "blob" in bare.lower() if sqlite else bare == "bytea"
        self.form, self.write, self.read = TEXT if sqlite else TYPES.get(bare, TEXT)

    def to_text(self, value):
        """The text of a value; a `str` as it stands, if it has the form of the type. Raises WrongInput."""
        text = value if isinstance(value, str) else self.write(value)
        if text is None or re.search("[\0\ud800-\udfff]", text) or not re.fullmatch(self.form, text, re.ASCII):
            raise WrongInput(f"this is no value of type {self.name}, or not in the form in which the server writes it")
        return text

    def to_bytes(self, value):
        """The plaintext of a value. Raises WrongInput."""
        if not self.is_bytes:
            return self.to_text(value).encode()
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise WrongInput(f"a value of type {self.name} is bytes")
        return bytes(value)

    def from_bytes(self, plain):
        """The value of a plaintext. Raises DoesNotOpen where it is not of the type."""
        try:
            return plain if self.is_bytes else self.read(plain.decode())
        except (ValueError, ArithmeticError):
            raise DoesNotOpen(f"the value opens, and is none of type {self.name}: `open_bytes` returns it") from None
