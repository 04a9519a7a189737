//! E0213 to E0215: the server's encoding, whether it accepts writes, and phiseal's own tables.

use super::{Findings, Preflight};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    // The server converts any other encoding: phiseal reads and writes UTF-8.
    if p.server.encoding == "SQL_ASCII" {
        out.refuse(
            "E0213",
            p.plan,
            None,
            "the database has the encoding SQL_ASCII, so its text is of no known encoding",
            "dump it, and load it into a database with the encoding UTF8",
        );
    }
    // A verification then records nothing.
    if p.server.read_only && p.writes() {
        out.refuse(
            "E0214",
            p.plan,
            None,
            "the database takes no writes: it is a standby, or opened read only",
            "connect to the primary, and see default_transaction_read_only",
        );
    }
    if !p.server.installed {
        out.refuse(
            "E0215",
            p.plan,
            None,
            "phiseal's own tables are not there, or older than this program",
            "run `phiseal migrate up`",
        );
    }
}
