"""Client, Field and Transaction: what an application works with; and how they reach a database."""
import json
import os
import re
import threading
from contextlib import contextmanager

from . import format
from .errors import DoesNotOpen, Error, NotChecked, NotRegistered, NotTrusted, StaleKeys, WrongInput
from .keys import Keys, WrappingKey
from .values import Type, row_key_of

ATTEMPTS = 3  # of a transaction whose values the guard refuses because their key was replaced


class Client:
    """The data keys and the registered columns of one database. All threads may share one; it may be made before a fork.

    wrapping  a WrappingKey (`key_from_file`, `key_from_env`, `key_from_command`), or a list of them, for the time in
              which data keys are moved from one to another
    query     query(sql) -> rows, each a dict by column name, on a connection of its own and never within a transaction
              of the application: `own_connection` makes one. Its role needs USAGE on the schema `phiseal` and SELECT on
              encryption_keys and encrypted_field_metadata
    schema    the schema of phiseal's tables
    sqlite    whether this is SQLite, where their names begin with `phiseal_`
    refresh   seconds between two loads of the keys in the background; at most 60
    """

    def __init__(self, wrapping, query, *, schema="phiseal", sqlite=False, refresh=30.0):
        self.sqlite, self._query, self._fields = sqlite, query, {}
        self._own = "phiseal_" if sqlite else '"' + schema.replace('"', '""') + '".'
        hexadecimal = "lower(hex({}))" if sqlite else "encode({}, 'hex')"  # drivers show bytes in different ways
        sql = (f"SELECT key_id, tenant, purpose, version, status, kek_ref, {hexadecimal.format('wrapped_key')} AS wrapped, "
               f"{hexadecimal.format('check_value')} AS checked FROM {self._own}encryption_keys")
        wrapping = [wrapping] if isinstance(wrapping, WrappingKey) else wrapping
        self.keys = Keys(wrapping, lambda: query(sql), refresh)

    def load(self):
        """Loads the keys now. Call it when the application starts, to learn then whether the keys can be used."""
        self.keys.load()

    def close(self):
        """Ends the background thread, overwrites the keys and closes the connection of `own_connection`. The client cannot be
        used any more."""
        self.keys.close()
        getattr(self._query, "close", lambda: None)()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def field(self, table, column, *, text=False):
        """A sealed column, by its labels as `phiseal fields list` shows them. Its type, key columns, padding and blind
        index are read from phiseal's registry at the first use. `text`: the sealed values are in a text column; of a
        column that is sealed in place this is known."""
        return self._fields.setdefault((table, column, text), Field(self, table, column, text))

    def registered(self, table, column):
        """The row of encrypted_field_metadata with these labels, a dict. Raises NotRegistered."""
        for row in self._query(f"SELECT * FROM {self._own}encrypted_field_metadata WHERE state <> 'forgotten'"):
            if (row["table_label"], row["column_label"]) == (table, column):
                return row
        raise NotRegistered(f"{column} of {table} is not registered: `phiseal fields list` shows the labels, and the first "
                            "`phiseal backfill` registers a column")

    def transaction(self, begin, work):
        """Runs `work(tx)` in a transaction that may write sealed values, commits, and returns what `work` returned.

        begin  a DB-API connection that is in no transaction; or a function without arguments that returns a context
               manager, which begins and ends a transaction and gives query(sql, params) -> rows, each a dict
        work   a function of a Transaction. If the guard refuses a value because its key was replaced a moment ago, `work`
               is called again, in a new transaction and with new keys; so it changes nothing but the database

        Raises what `work` and the driver raise, and StaleKeys, NotTrusted, NotChecked, DoesNotOpen: then nothing was
        committed.
        """
        enter = (lambda: transaction_on(begin)) if hasattr(begin, "cursor") else begin
        for _ in range(ATTEMPTS):
            try:
                with enter() as query:
                    tx = Transaction(self, query)
                    result = work(tx)
                    tx.finish()
                return result
            except Exception as error:
                state, refused = guard_state(error), error
                if state in ("PS003", "PS006"):
                    raise NotTrusted(f"the guard refused a sealed value ({state}): the statement ran outside of the "
                                     "transaction, or its connection commits each statement") from error
                if state != "PS002" and not isinstance(error, StaleKeys):
                    raise
            self.load()
        raise StaleKeys(f"the guard refused a value {ATTEMPTS} times because its key is not active (PS002): is the tenant "
                        "right?") from refused


class Field:
    """One sealed column. The key of a row is given as a list, in the order of `key_columns`, or as its only value; the
    tenant as the text of its column, and left out where the table has none."""

    def __init__(self, client, table, column, text):
        self._client, self.table, self.column, self._text, self._facts = client, table, column, text, None

    @property
    def facts(self):
        """What the registry says, a dict: key_columns, key_types, tenant_column, sealed_column, blind_index_column, ..."""
        if self._facts is None:
            facts = dict(self._client.registered(self.table, self.column))
            facts["key_columns"], facts["key_types"] = json.loads(facts["key_columns"]), json.loads(facts["key_types"])
            facts["sealed_column"] = facts["sealed_column"] or facts["column_name"]
            facts["type"] = Type(facts["source_type"], self._client.sqlite)
            self._text = self._text or facts["form"] == "in_place"
            self._facts = facts
        return self._facts

    @property
    def key_columns(self):
        """The names of the columns that are the row's key."""
        return self.facts["key_columns"]

    def seal(self, key, value, tenant=""):
        """The sealed value for one row, and its blind index (None where the column has none): write both, in one statement.
        `value` is a str, or what fits the column's type: int, bool, Decimal, UUID, date, datetime; bytes for bytea.
        In a `Client.transaction` use `tx.seal`, which also sees where the value went."""
        facts = self.facts
        if bool(facts["tenant_column"]) != bool(tenant):
            raise WrongInput(f"{self.table} has {'a' if facts['tenant_column'] else 'no'} tenant column")
        row_key, plain = row_key_of(facts["key_types"], key), facts["type"].to_bytes(value)
        seals, context = self._client.keys.sealing(tenant, "cell"), self._context(tenant)
        sealed = format.seal(seals.key_id, seals.secret, context, row_key, plain, int(facts["pad_to"]))
        index = self.index(value, tenant) if facts["blind_index_column"] else None
        return format.to_text(sealed) if self._text else sealed, index

    def index(self, value, tenant=""):
        """The blind index to store; None where the value normalises to nothing."""
        return self._index(self._client.keys.sealing(tenant, "blind_index"), value, tenant)

    def lookups(self, value, tenant=""):
        """The blind indexes to look for: `WHERE ssn_bidx = ANY (...)`. More than one while a key is rotated; none where the
        value normalises to nothing."""
        found = [self._index(key, value, tenant) for key in self._client.keys.indexing(tenant)]
        return [index for index in found if index is not None]

    def open(self, key, sealed, tenant=""):
        """The value of a row: by the column's type an int, bool, Decimal, UUID, date or bytes, else a str. None for None:
        what is not sealed yet is in the plaintext column. Raises DoesNotOpen."""
        return None if sealed is None else self.facts["type"].from_bytes(self.open_bytes(key, sealed, tenant))

    def open_bytes(self, key, sealed, tenant=""):
        """As `open`; the bytes that were sealed."""
        envelope = format.from_text(sealed) if isinstance(sealed, str) else bytes(sealed)
        row_key = row_key_of(self.facts["key_types"], key)
        opens = self._client.keys.opening(tenant, format.key_id_of(envelope))
        return format.open_(opens.secret, self._context(tenant), row_key, envelope)

    def open_row(self, row):
        """As `open`, of a dict that holds the key columns, the sealed column, and the tenant column if there is one."""
        key, tenant = self.place_in(row)
        return self.open(key, row[self.facts["sealed_column"]], tenant)

    def place_in(self, row):
        """The key and the tenant in a row. Raises NotChecked where a column is missing."""
        tenant = self.facts["tenant_column"]
        missing = [name for name in [*self.key_columns, *([tenant] if tenant else [])] if name not in row]
        if missing:
            raise NotChecked(f"{self.column} of {self.table} cannot be opened without {', '.join(missing)} of its row")
        return [row[name] for name in self.key_columns], str(row[tenant]) if tenant else ""

    def _index(self, key, value, tenant):
        facts = self.facts
        if not facts["blind_index_column"]:
            raise WrongInput(f"{self.column} of {self.table} has no blind index")
        normaliser, bits = facts["blind_index_normaliser"], int(facts["blind_index_bits"])
        return format.blind_index(key.secret, self._context(tenant), normaliser, bits, facts["type"].to_text(value))

    def _context(self, tenant):
        return format.context_of(tenant, self.table, self.column)


class Transaction:
    """A transaction with the sealer's mark. Each value that it seals has to be seen once more before COMMIT, in its row,
    and is opened there: the database accepts a value that was sealed for another row, and it would never open."""

    def __init__(self, client, query):
        self._client, self._query, self._unseen = client, query, {}
        query("INSERT INTO phiseal_mark VALUES ('sealer')" if client.sqlite else "SET LOCAL phiseal.sealer = 'on'")

    def seal(self, field, key, value, tenant=""):
        """As `Field.seal`."""
        sealed, index = field.seal(key, value, tenant)
        self._unseen[sealed] = field
        return sealed, index

    def query(self, sql, params=()):
        """Runs a statement; its rows, each a dict. One that writes sealed values returns them, with the key columns and the
        tenant column: `RETURNING id, ssn_sealed`."""
        rows = self._query(sql, params) or []
        for row in rows:
            self.check(row)
        values = list(params.values() if isinstance(params, dict) else params)
        for value in values + [one for many in values if isinstance(many, (list, tuple)) for one in many]:
            field = self._field(value)
            if field and re.search(r"\breturning\b", sql, re.IGNORECASE):
                if rows:
                    raise self._not_seen(field)
                self._unseen.pop(value)  # the statement wrote no row
        return rows

    def check(self, row):
        """Looks for values of this transaction in a row that was read (a dict), and opens them. `query` does so with every
        row; this is for rows that come from elsewhere, such as an ORM."""
        for value in [row[name] for name in row.keys()]:
            value = bytes(value) if isinstance(value, memoryview) else value
            field = self._field(value)
            if field:
                key, tenant = field.place_in(row)
                try:
                    field.open_bytes(key, value, tenant)
                except DoesNotOpen:
                    raise DoesNotOpen(f"a value of {field.column} of {field.table} was written to a row for which it was not "
                                      "sealed: nothing was committed") from None
                self._unseen.pop(value)

    def finish(self):
        """What is done before COMMIT."""
        for field in self._unseen.values():
            raise self._not_seen(field)
        if self._client.sqlite:
            self._query("DELETE FROM phiseal_mark")

    def _field(self, value):
        return self._unseen.get(value) if isinstance(value, (bytes, str)) else None

    @staticmethod
    def _not_seen(field):
        tenant = field.facts["tenant_column"]
        columns = [*field.key_columns, *([tenant] if tenant else []), field.facts["sealed_column"]]
        return NotChecked(f"a value sealed for {field.column} of {field.table} was not seen in its row: add `RETURNING "
                          f"{', '.join(columns)}` to the statement, or read these columns before the transaction ends")


def guard_state(error):
    """The SQLSTATE of an error, by whichever driver or ORM it was raised; in SQLite that in a guard's message."""
    for one in (error, error.__cause__, getattr(error, "orig", None)):
        state = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)
        named = re.match(r"phiseal (PS\d{3}): ", str(one))
        if state or named:
            return state or named[1]
    return None


def query_on(cursor):
    """query(sql, params) on a DB-API cursor."""
    def query(sql, params=()):
        cursor.execute(sql, params) if params else cursor.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [row if isinstance(row, dict) else dict(zip(names, row)) for row in cursor.fetchall()] if names else []
    return query


def own_connection(connect):
    """query(sql) on a connection that nobody else uses. `connect` makes a DB-API connection. It is called again where the
    connection was lost, and in a process that was forked."""
    held = {"inherited": []}

    def after_fork():  # the parent goes on using its connection: it must not be closed here
        held["inherited"].append(held.pop("connection", None))
        held["lock"] = threading.Lock()

    def query(sql):
        with held["lock"]:
            for last in (False, True):
                try:
                    if "connection" not in held:
                        held["connection"] = connect()
                    rows = query_on(held["connection"].cursor())(sql)
                    held["connection"].rollback()  # no transaction stays open
                    return rows
                except Exception:
                    held.pop("connection", None)
                    if last:
                        raise

    def close():
        with held["lock"]:
            if "connection" in held:
                held.pop("connection").close()

    after_fork()
    os.register_at_fork(after_in_child=after_fork)
    query.close = close
    return query


@contextmanager
def transaction_on(connection):
    """A transaction on a DB-API connection (psycopg, psycopg2, sqlite3) that is in none. Gives query(sql, params)."""
    query = query_on(connection.cursor())
    if hasattr(connection, "transaction"):  # psycopg
        if connection.info.transaction_status != 0:
            raise Error("the connection is in a transaction already, which would have to be run again with this one")
        with connection.transaction():
            yield query
        return
    is_sqlite = type(connection).__module__ == "sqlite3"
    if is_sqlite:
        connection.isolation_level = None
        query("PRAGMA foreign_keys = ON")  # without this, the mark is refused
        query("BEGIN IMMEDIATE")
    try:
        yield query
        query("COMMIT") if is_sqlite else connection.commit()
    except BaseException:
        query("ROLLBACK") if is_sqlite else connection.rollback()
        raise
