"""Seals and opens values of phiseal in an application, and makes the blind indexes that find them.

Copy this folder into the application. It needs Python 3.9, the package `cryptography`, and a DB-API driver (psycopg,
psycopg2, sqlite3; an ORM's connection). docs/APPLICATIONS.md shows reads, lookups and writes. In short:

    client = phiseal.Client(phiseal.key_from_file("/etc/phiseal/wrapping.key"),
                            phiseal.own_connection(lambda: psycopg.connect(URL)))
    ssn = client.field("public.patients", "ssn")
    ssn.open(42, sealed)                            # '142-52-0042'

    errors.py   what can go wrong
    format.py   the bytes of docs/FORMAT.md; reads no table
    values.py   row keys, and values of each type as text
    keys.py     the wrapping key, and the data keys of one database
    client.py   Client, Field, Transaction, and how they reach a database

No error holds a value, a row's key or an encryption key. Python cannot wipe every object: `Client.close` overwrites the
wrapping key and the data keys, but not the key of a single cell, nor a value that was opened.
"""
from .client import Client, Field, Transaction, guard_state, own_connection, query_on, transaction_on
from .errors import (DoesNotOpen, Error, KeysUnusable, NoTenantKey, NotChecked, NotRegistered, NotTrusted, StaleKeys,
                     WrongInput)
from .format import from_text, is_sealed, to_text
from .keys import WrappingKey, key_from_command, key_from_env, key_from_file

__all__ = [
    "Client", "Field", "Transaction", "guard_state", "own_connection", "query_on", "transaction_on", "DoesNotOpen", "Error",
    "KeysUnusable", "NoTenantKey", "NotChecked", "NotRegistered", "NotTrusted", "StaleKeys", "WrongInput", "from_text",
    "is_sealed", "to_text", "WrappingKey", "key_from_command", "key_from_env", "key_from_file",
]
