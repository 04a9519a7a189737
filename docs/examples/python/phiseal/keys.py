"""The wrapping key, and the data keys of one database: loaded in the background, never used when older than a minute."""
import hmac
import os
import stat
import subprocess
import threading
import time

from . import format
from .errors import DoesNotOpen, Error, KeysUnusable, NoTenantKey, StaleKeys

AGE_MAX = 60.0  # seconds: older keys seal and open nothing until they are loaded again
PAUSE = 1.0  # seconds between two loads because of a key that is not there
MISSING = 2.0  # seconds for which a key that was not found is not looked for again


class WrappingKey:
    """The key that unwraps data keys. It exists in this process only: no SQL text and no error holds it."""

    def __init__(self, line, origin="the text given"):
        try:
            self.secret = bytearray(format.wrapping_key(line))
        except ValueError:
            raise KeysUnusable(f"{origin} is no wrapping key: that is a line of `phiseal-wk-1.` and 43 characters") from None
        self.reference = format.reference(self.secret)

    def __repr__(self):
        return f"<WrappingKey {self.reference}>"


def key_from_file(path):
    """The wrapping key in a file: a regular one, of this user, that nobody else may read or write (mode 0600)."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="latin-1", newline="") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode) or facts.st_mode & 0o077 or facts.st_uid != os.geteuid():
                raise KeysUnusable(f"the key file {path} must be a regular file of this user, with mode 0600")
            return WrappingKey(file.read(100), f"the key file {path}")
    except OSError as error:
        raise KeysUnusable(f"the key file {path} cannot be read: {error.strerror}") from None


def key_from_env(name):
    """The wrapping key in an environment variable."""
    return WrappingKey(os.environ.get(name, ""), f"the environment variable {name}")


def key_from_command(command):
    """The wrapping key that a program prints. `command` is a list, the program and its arguments; no shell is used."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise KeysUnusable(f"the key command {command[0]} failed ({type(error).__name__})") from None
    return WrappingKey(done.stdout.decode("latin-1"), f"the output of the key command {command[0]}")


class Key:
    """A row of encryption_keys. `secret` is None for a destroyed key."""

    def __init__(self, row, secret):
        self.key_id, self.version = int(row["key_id"]), int(row["version"])
        self.tenant, self.purpose, self.status, self.check = row["tenant"], row["purpose"], row["status"], row["checked"]
        self.secret = secret

    def is_for(self, tenant, purpose):
        return (self.tenant, self.purpose) == (tenant, purpose)


class Keys:
    """The data keys of one database. `query` is a function without arguments that reads the rows of encryption_keys."""

    def __init__(self, wrapping, query, refresh):
        self._wrapping = {key.reference: key for key in wrapping}
        self._query, self._refresh = query, min(refresh, AGE_MAX)
        self._keys, self._loaded_at, self._missing = {}, None, {}
        self._stop = threading.Event()
        self._after_fork()
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self):
        self._lock, self._thread = threading.Lock(), None

    def close(self):
        """Ends the background thread and overwrites the keys."""
        self._stop.set()
        with self._lock:
            for key in [*self._wrapping.values(), *self._keys.values()]:
                if key.secret:
                    key.secret[:] = bytes(len(key.secret))
            self._wrapping, self._keys, self._loaded_at = {}, {}, None

    def load(self):
        """Loads the keys now, unless another thread began to do so after this call. Raises KeysUnusable, or what the
        driver raises."""
        asked = time.monotonic()
        with self._lock:
            if self._stop.is_set():
                raise Error("the client is closed")
            if self._loaded_at is not None and self._loaded_at > asked:
                return
            begun = time.monotonic()  # the keys are as old as the question for them
            loaded = [self._key(row) for row in self._query()]
            self._keys = {key.key_id: key for key in loaded if key}
            self._loaded_at = begun
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_loading, name="phiseal-keys", daemon=True)
                self._thread.start()

    def _keep_loading(self):
        pause = self._refresh
        while not self._stop.wait(pause):
            try:
                self.load()
                pause = self._refresh
            except Exception:  # who needs the keys once they are too old is told
                pause = min(5.0, self._refresh)

    def _key(self, row):
        key_id, known = int(row["key_id"]), self._keys.get(int(row["key_id"]))
        if row["status"] == "destroyed":
            return Key(row, None)
        if known and known.secret and hmac.compare_digest(known.check, row["checked"]):
            return Key(row, known.secret)  # also where it is under a new wrapping key meanwhile
        try:
            wrapping = self._wrapping.get(row["kek_ref"])
            if not wrapping:
                raise KeysUnusable(f"key {key_id} is wrapped under {row['kek_ref']}, and the wrapping key given is "
                                   f"{' or '.join(self._wrapping)}")
            wrapped, check = bytes.fromhex(row["wrapped"]), bytes.fromhex(row["checked"])
            secret = format.unwrap(wrapping.secret, key_id, row["purpose"], row["tenant"], wrapped, check)
            return Key(row, bytearray(secret))
        except KeysUnusable:
            if row["status"] == "pre_active":
                return None  # no value names it yet
            raise

    def _current(self):
        if self._loaded_at is None:
            self.load()
        if time.monotonic() - self._loaded_at > AGE_MAX:
            try:
                self.load()
            except Exception as cause:
                why = f" ({cause})" if isinstance(cause, Error) else ""
                raise StaleKeys(f"the keys are more than a minute old and cannot be loaded again{why}") from cause
        return self._keys

    def sealing(self, tenant, purpose):
        """The key that seals for a tenant, or makes its blind indexes: the active one. Raises NoTenantKey."""
        def active(keys):
            return next((key for key in keys.values() if key.is_for(tenant, purpose) and key.status == "active"), None)

        key = self._found(active, (tenant, purpose))
        if key:
            return key
        if any(key.is_for(tenant, purpose) and key.status == "suspended" for key in self._keys.values()):
            raise NoTenantKey(f"the {purpose} key of this tenant is suspended: an operator resumes it or makes another")
        raise NoTenantKey(f"this tenant has no active {purpose} key: `phiseal keys create --tenant T --if-missing` makes it")

    def opening(self, tenant, key_id):
        """The key that an envelope names. Raises DoesNotOpen."""
        def named(keys):
            return keys[key_id] if key_id in keys and keys[key_id].status != "pre_active" else None

        key = self._found(named, key_id)
        if not key:
            raise DoesNotOpen(f"there is no key {key_id} that opens values")
        if key.secret is None:
            raise DoesNotOpen(f"key {key_id} was destroyed")
        if not key.is_for(tenant, "cell"):
            raise DoesNotOpen(f"key {key_id} is of another tenant, or of blind indexes")
        return key

    def _found(self, find, name):
        """What `find` finds in the keys. If that is nothing, the keys are loaded: it may have been made a moment ago."""
        key, now = find(self._current()), time.monotonic()
        if key or now - self._missing.get(name, now - MISSING) < MISSING:
            return key
        time.sleep(max(0.0, self._loaded_at + PAUSE - now))
        self.load()
        key = find(self._keys)
        if not key:
            self._missing = {**dict(list(self._missing.items())[-99:]), name: time.monotonic()}
        return key

    def indexing(self, tenant):
        """All keys that a blind index of the tenant may be made with, the newest first: while a rotation prepares a key,
        that one too."""
        own = [key for key in self._current().values() if key.is_for(tenant, "blind_index") and key.secret]
        return sorted(own, key=lambda key: -key.version) or [self.sealing(tenant, "blind_index")]
