//! Who may do what to a database through phiseal, and what a command may do to it.

mod sqlite;
