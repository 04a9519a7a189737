"""A model with a sealed column in Django; docs/adopting.md walks through it.
STEP=1: reads both forms and writes plaintext. STEP=2: reads both and seals what it writes.
STEP=3: the plaintext is out of the model, as it must be for `phiseal finalize`."""
import os, sys
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from phiseal import Field, Keys

STEP = int(os.environ.get("STEP", "3"))
url = urlsplit(os.environ["DATABASE_URL"])
settings.configure(INSTALLED_APPS=[], DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username, "PASSWORD": url.password,
    "HOST": url.hostname, "PORT": url.port}})
django.setup()
from django.db import Error, connection, models, transaction


def query(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


KEYS = Keys(Path(os.environ["PHISEAL_KEY_FILE"]).read_text(), query)
SSN = Field(KEYS, "public.patients", "ssn", normalise="digits")


class Patient(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    note = models.TextField(null=True)
    if STEP < 3:
        ssn = models.TextField(null=True)
    ssn_sealed = models.BinaryField(null=True, editable=False)
    ssn_bidx = models.BinaryField(null=True, editable=False)

    class Meta:
        app_label, db_table, managed = "clinic", "patients", False

    def save(self, *args, **kwargs):
        """save() writes back every column that it once loaded, also where the row is newer than the object. This keeps
        it away from the sealed columns, and from the plaintext once that is not written."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            out = {"id", "ssn_sealed", "ssn_bidx", *(["ssn"] if STEP > 1 else []), *self.get_deferred_fields()}
            kwargs["update_fields"] = [f.name for f in self._meta.concrete_fields if f.name not in out]
        super().save(*args, **kwargs)

    def ssn_and_form(self):
        """Reading: the sealed value wins; the plaintext counts only where there is none yet."""
        if self.ssn_sealed is not None:
            return SSN.open([("int", self.id)], self.ssn_sealed), "sealed"
        return (self.ssn, "plaintext") if STEP < 3 and self.ssn is not None else (None, "none")

    def show(self):
        value, form = self.ssn_and_form()
        print(f"{self.id} {self.name}: {value or ''} ({form})")


def find(value):
    """Looking up: by the blind index, and by the plaintext where there is no index yet."""
    either = models.Q(ssn_bidx__in=SSN.lookups(value))
    return Patient.objects.filter(either | models.Q(ssn=value) if STEP < 3 else either).order_by("id")


def sealed(id, value):
    """Writing: the plaintext stays out, and the guard clears what is there."""
    return {"ssn_sealed": SSN.seal([("int", id)], value), "ssn_bidx": SSN.index(value)}


def sealing(work, again=True):
    """A transaction that may write sealed values. Run again with fresh keys where the key was rotated away a moment ago."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL phiseal.sealer = 'on'")
            return work()
    except Error as error:
        if not again or getattr(error.__cause__, "sqlstate", None) != "PS002":
            raise
    KEYS.load()
    return sealing(work, False)


def create(name, value):
    # A sealed value is bound to its row's key, so the key is taken first.
    [(id,)] = query("SELECT nextval(pg_get_serial_sequence('patients', 'id'))")
    if STEP < 2:
        return Patient.objects.create(id=id, name=name, ssn=value)
    return sealing(lambda: Patient.objects.create(id=id, name=name, **sealed(id, value)))


def change(id, value):
    if STEP < 2 and value is not None:
        return Patient.objects.filter(id=id).update(ssn=value)

    def work():
        row = Patient.objects.filter(id=id)
        row.update(**sealed(id, "" if value is None else value))
        if value is None:
            # Removing a value takes two writes: the first has cleared the plaintext, whether the model knows it or not.
            row.update(ssn_sealed=None, ssn_bidx=None)

    sealing(work)


if __name__ == "__main__":
    command, *args = sys.argv[1:]
    try:
        if command == "show":
            Patient.objects.get(id=args[0]).show()
        elif command == "find":
            for patient in find(args[0]):
                patient.show()
        elif command == "create":
            Patient.objects.get(id=create(*args).id).show()
        elif command == "change":
            change(args[0], args[1] if len(args) > 1 else None)
            Patient.objects.get(id=args[0]).show()
        elif command == "rename":  # an ordinary write
            patient = Patient.objects.get(id=args[0])
            patient.name = args[1]
            patient.save()
            patient.show()
    except Error as error:
        print(f"{type(error).__name__} {getattr(error.__cause__, 'sqlstate', '')}: {str(error).splitlines()[0]}")
        sys.exit(1)
