-- Which entry of the audit log names each change of a key's state. A change without one was made by
-- somebody else than this program, or while no key was left to make an entry with; the next entry names it.
CREATE TABLE {{schema}}.key_transition_entries (
    transition_id bigint PRIMARY KEY,
    entry_id      bigint NOT NULL
);

CREATE TRIGGER key_transition_entries_kept
    BEFORE UPDATE OR DELETE OR TRUNCATE ON {{schema}}.key_transition_entries
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('what the audit log names is kept');
ALTER TABLE {{schema}}.key_transition_entries ENABLE ALWAYS TRIGGER key_transition_entries_kept;
