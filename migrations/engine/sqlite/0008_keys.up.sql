-- Which entry of the audit log names each change of a key's state. A change without one was made by
-- somebody else than this program, or while no key was left to make an entry with; the next entry names it.
CREATE TABLE phiseal_key_transition_entries (
    transition_id INTEGER PRIMARY KEY,
    entry_id      INTEGER NOT NULL
);

CREATE TRIGGER phiseal_key_transition_entries_insert BEFORE INSERT ON phiseal_key_transition_entries
    WHEN EXISTS (SELECT 1 FROM phiseal_key_transition_entries WHERE transition_id = NEW.transition_id)
BEGIN
    SELECT RAISE(ABORT, 'INSERT refused on key_transition_entries: what the audit log names is kept');
END;

CREATE TRIGGER phiseal_key_transition_entries_frozen BEFORE UPDATE ON phiseal_key_transition_entries
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on key_transition_entries: what the audit log names is kept');
END;

CREATE TRIGGER phiseal_key_transition_entries_kept BEFORE DELETE ON phiseal_key_transition_entries
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on key_transition_entries: what the audit log names is kept');
END;
