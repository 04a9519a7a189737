"""A model with a sealed column in Django; docs/adopting.md walks through it.
STEP=1: reads both forms and writes plaintext. STEP=2: reads both and seals what it writes.
STEP=3: the plaintext is out of the model, as it must be for `phiseal finalize`."""
import os, sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import django
import psycopg
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
import phiseal

STEP = int(os.environ.get("STEP", "3"))
url = urlsplit(os.environ["DATABASE_URL"])
settings.configure(INSTALLED_APPS=[], DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username, "PASSWORD": url.password,
    "HOST": url.hostname, "PORT": url.port}})
django.setup()
from django.db import Error, connection, models, transaction


CLIENT = phiseal.Client(phiseal.key_from_file(os.environ["PHISEAL_KEY_FILE"]),
                        phiseal.own_connection(lambda: psycopg.connect(os.environ["DATABASE_URL"])))
SSN = CLIENT.field("public.patients", "ssn")


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
            return SSN.open(self.id, self.ssn_sealed), "sealed"
        return (self.ssn, "plaintext") if STEP < 3 and self.ssn is not None else (None, "none")

    def show(self):
        value, form = self.ssn_and_form()
        print(f"{self.id} {self.name}: {value or ''} ({form})")


def find(value):
    """Looking up: by the blind index, and by the plaintext where there is no index yet."""
    either = models.Q(ssn_bidx__in=SSN.lookups(value))
    return Patient.objects.filter(either | models.Q(ssn=value) if STEP < 3 else either).order_by("id")


@contextmanager
def begin():
    """A transaction of Django's, as CLIENT.transaction needs it."""
    with transaction.atomic(), connection.cursor() as cursor:
        yield phiseal.query_on(cursor)


def seen(tx, id):
    """Reads the row again, so that its sealed value is opened before COMMIT."""
    tx.check(Patient.objects.filter(id=id).values("id", "ssn_sealed").get())


def create(name, value):
    # A sealed value is bound to its row's key, so the key is taken first.
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('patients', 'id'))")
        [id] = cursor.fetchone()
    if STEP < 2:
        return Patient.objects.create(id=id, name=name, ssn=value)

    def work(tx):
        # The plaintext stays out.
        sealed, index = tx.seal(SSN, id, value)
        patient = Patient.objects.create(id=id, name=name, ssn_sealed=sealed, ssn_bidx=index)
        seen(tx, id)
        return patient
    return CLIENT.transaction(begin, work)


def change(id, value):
    if STEP < 2 and value is not None:
        return Patient.objects.filter(id=id).update(ssn=value)

    def work(tx):
        # The guard clears the plaintext that is there, whether the model knows its column or not.
        sealed, index = tx.seal(SSN, id, "" if value is None else value)
        Patient.objects.filter(id=id).update(ssn_sealed=sealed, ssn_bidx=index)
        seen(tx, id)
        if value is None:
            Patient.objects.filter(id=id).update(ssn_sealed=None, ssn_bidx=None)
    CLIENT.transaction(begin, work)


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
    except (Error, phiseal.Error) as error:
        print(f"{type(error).__name__} {phiseal.guard_state(error) or ''}: {str(error).splitlines()[0]}")
        sys.exit(1)
