//! The SQL of a page: which columns, which rows, in which order, and where it ends.
//! Owns the text of the SELECT that reads rows. The server makes every comparison. The order is
//! that of the key columns under their own collations, or storage order.

mod columns;

use super::key_order::{self, Side};
use super::wanted::need;
use crate::quote;
use crate::store::{Access, Bound, PageRequest, Select};
pub(super) use columns::key_list;
use columns::{inner_columns, may_lack_a_form, outer_columns, size};

/// The positions of the columns in a row of a page.
pub(super) struct Layout {
    pub key_values: usize,
    pub key_texts: usize,
    pub tenant: Option<usize>,
    pub cells: usize,
}

/// The columns before the key values: place, version, flags and storage.
pub(super) const PLACE: usize = 0;
pub(super) const VERSION: usize = 1;
pub(super) const FLAGS: usize = 2;
pub(super) const STORAGE: usize = 3;
const HEAD: usize = 4;

/// The bits of the flags: the row needs work; it is the window's last row by number; the window's
/// bytes are used up at it; it is too large and comes without values. They share a column because
/// each column costs server and reader as much as a small value.
pub(super) const NEED: i32 = 1;
pub(super) const LAST: i32 = 2;
pub(super) const CUT: i32 = 4;
pub(super) const LARGE: i32 = 8;

pub(super) fn layout(access: &Access) -> Layout {
    let keys = access.table.keys.len();
    Layout {
        key_values: HEAD,
        key_texts: HEAD + keys,
        tenant: access.table.tenant.as_ref().map(|_| HEAD + 2 * keys),
        cells: HEAD + 2 * keys + usize::from(access.table.tenant.is_some()),
    }
}

/// Which rows a statement is about.
pub(super) enum Rows<'a> {
    /// A window in key order.
    Window(&'a PageRequest),
    /// A window in storage order, with the condition on its places. Only rows that need work come
    /// back.
    Heap(&'a PageRequest, String),
    /// Rows by `ctid` and `xmin`, which are bound as $1 and $2.
    ByVersion(&'a PageRequest),
    /// Rows by the text of their keys, bound as one array for each key column.
    Keys(&'a PageRequest),
    /// The same, with row locks.
    LockedKeys(&'a PageRequest),
}

/// Who ends a window when it has enough bytes.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    /// The server, with a running sum: it never sends more than a window may hold, whatever the
    /// values are.
    Server,
    /// The reader. The server sends no values of a row that has more bytes than `row_bytes_max`.
    Reader { row_bytes_max: u64 },
}

/// The statement that reads a page. It binds, in this order: for a window, the texts of `after` and
/// `upto`; for versions, two arrays; for keys, one array for each key column. Last come, for a
/// sweep, the prefixes that count as sealed, or, for a rotation, its two lists of prefixes.
pub(super) fn page(access: &Access, rows: &Rows<'_>, cut: Cut) -> String {
    let request = match rows {
        Rows::Window(r) | Rows::ByVersion(r) | Rows::Heap(r, _) => *r,
        Rows::Keys(r) | Rows::LockedKeys(r) => *r,
    };
    let mut next_bind = 1;
    let (from, filter, limit) = match rows {
        Rows::Window(request) => window(access, request, &mut next_bind),
        Rows::Heap(request, places) => (
            format!("ONLY {} AS t", request.relation),
            format!(
                "{places} AND ({})",
                need(access, &request.select, next_bind)
            ),
            format!(" LIMIT {}", request.rows_max),
        ),
        Rows::ByVersion(request) => {
            next_bind = 3;
            (
                format!(
                    "ONLY {} AS t JOIN unnest($1::text[]::tid[], $2::text[]::xid[]) AS v(\"~place\", \"~version\") \
                     ON t.ctid = v.\"~place\" AND t.xmin = v.\"~version\"",
                    request.relation
                ),
                "true".to_owned(),
                String::new(),
            )
        }
        Rows::Keys(request) | Rows::LockedKeys(request) => by_keys(access, request, &mut next_bind),
    };
    let by_place = matches!(rows, Rows::Heap(..));
    let need = if by_place {
        "true".to_owned()
    } else {
        need(access, &request.select, next_bind)
    };
    let order = |alias: &str| match (by_place, alias) {
        (false, _) => key_list(&access.table.keys, alias),
        (true, "q") => "q.place".to_owned(),
        (true, _) => format!("{alias}.ctid"),
    };
    // The scan of a range of places returns them in order. If the reader cuts, it also checks this.
    let inner_order = match cut {
        Cut::Reader { .. } if by_place => String::new(),
        _ => format!(" ORDER BY {}", order("t")),
    };
    let lock = if matches!(rows, Rows::LockedKeys(_)) {
        " FOR NO KEY UPDATE OF t"
    } else {
        ""
    };
    let inner = format!(
        "SELECT t.ctid AS place, t.xmin AS version, {columns}, ({need}) AS need, \
         {size} AS size, {largest} AS largest \
         FROM {from} WHERE {filter}{inner_order}{limit}{lock}",
        columns = inner_columns(access),
        size = size(access, "+"),
        largest = size(access, ","),
    );
    match cut {
        Cut::Server => cut_here(access, request, &inner, &order("q")),
        Cut::Reader { row_bytes_max } => {
            // In storage order, the cursor is not made of keys.
            let keys = !by_place;
            let outer_order = match by_place {
                true => String::new(),
                false => format!(" ORDER BY {}", order("q")),
            };
            uncut(access, request, &inner, row_bytes_max, keys, &outer_order)
        }
    }
}

/// The columns of [`Layout`] before the key values. The place and the version come in the server's
/// binary form, which costs the server less than text. They are sent as bytea, because the driver
/// would first ask the server about the types `tid` and `xid`.
fn head(flags: &str, storage: &str) -> String {
    format!(
        "pg_catalog.tidsend(q.place), pg_catalog.xidsend(q.version), ({flags})::int4 AS flags, {storage} AS storage"
    )
}

/// The identity of the storage that the rows of this statement are read from.
fn storage(request: &PageRequest) -> String {
    format!(
        "(SELECT pg_catalog.pg_relation_filenode({}::pg_catalog.regclass)::text)",
        quote::literal(&request.relation),
    )
}

/// The statement if the server cuts: returns the rows that need work and the window's last row.
/// Only rows that need work count towards the bytes, and of these only small ones; a large row is
/// fetched by itself later.
fn cut_here(access: &Access, request: &PageRequest, inner: &str, order: &str) -> String {
    let weighed = format!(
        "SELECT q.*, row_number() OVER w AS rn, \
         CASE WHEN q.need THEN CASE WHEN q.largest <= {max} THEN q.size ELSE 0 END ELSE 0 END AS own, \
         sum(CASE WHEN q.need AND q.largest <= {max} THEN q.size ELSE 0 END) OVER w AS run \
         FROM ({inner}) AS q WINDOW w AS (ORDER BY {order} ROWS UNBOUNDED PRECEDING)",
        max = request.value_bytes_max
    );
    let (n, bytes) = (request.rows_max, request.bytes_max);
    let fits = format!("q.largest <= {}", request.value_bytes_max);
    let at_end = format!("q.rn = {n} OR q.run >= {bytes}");
    // The key's text is needed where the window may end, since it makes the cursor, and for a key
    // that may have no fixed form, since it then is all that names the row in the quarantine.
    let with_key_text = request.with_key_text || access.table.keys.iter().any(may_lack_a_form);
    let key_text = |i: usize| {
        if with_key_text {
            format!("q.key{i}::text")
        } else {
            format!("CASE WHEN {at_end} THEN q.key{i}::text END")
        }
    };
    format!(
        "SELECT {head}, {outer} FROM ({weighed}) AS q \
         WHERE (q.need AND q.run - q.own < {bytes}) OR q.rn = {n} ORDER BY q.rn",
        head = head(
            &format!(
                "CASE WHEN q.need AND q.run - q.own < {bytes} THEN {NEED} ELSE 0 END \
                 + CASE WHEN q.rn = {n} THEN {LAST} ELSE 0 END \
                 + CASE WHEN q.run >= {bytes} THEN {CUT} ELSE 0 END \
                 + CASE WHEN {fits} THEN 0 ELSE {LARGE} END"
            ),
            &storage(request),
        ),
        outer = outer_columns(access, request, &fits, key_text),
    )
}

/// The statement if the reader cuts: returns every row of the window, only with its key if it needs
/// no work. It avoids window functions, which cost the server as much as the rest of the page.
fn uncut(
    access: &Access,
    request: &PageRequest,
    inner: &str,
    row_bytes_max: u64,
    keys: bool,
    order: &str,
) -> String {
    // In storage order, the storage is known before the statement runs.
    let storage = match keys {
        true => storage(request),
        false => "NULL::text".to_owned(),
    };
    let fits = format!("q.size <= {row_bytes_max}");
    let key_text = |i: usize| {
        let key = &access.table.keys[i];
        if keys || request.with_key_text || may_lack_a_form(key) {
            format!("q.key{i}::text")
        } else {
            "NULL::text".to_owned()
        }
    };
    format!(
        "SELECT {head}, {outer} FROM ({inner}) AS q{order}",
        head = head(
            &format!(
                "CASE WHEN q.need THEN CASE WHEN {fits} THEN {NEED} ELSE {} END ELSE 0 END",
                NEED | LARGE
            ),
            &storage,
        ),
        outer = outer_columns(access, request, &fits, key_text),
    )
}

fn window(
    access: &Access,
    request: &PageRequest,
    next_bind: &mut usize,
) -> (String, String, String) {
    let mut filters = Vec::new();
    let keys: Vec<String> = (access.table.keys.iter())
        .map(|key| key_order::column(key, "t"))
        .collect();
    for (bound, side) in [(&request.after, Side::After), (&request.upto, Side::UpTo)] {
        if bound.as_ref().and_then(Bound::key).is_some() {
            let binds: Vec<String> = access
                .table
                .keys
                .iter()
                .map(|key| {
                    let bind = format!("${next_bind}::text::{}", key.cast);
                    *next_bind += 1;
                    bind
                })
                .collect();
            filters.push(key_order::condition(
                &access.table.keys,
                &keys,
                side,
                &binds,
            ));
        }
    }
    if request.select == Select::UnsealedIndexed {
        filters.push(format!("({})", need(access, &request.select, 0)));
    }
    if filters.is_empty() {
        filters.push("true".to_owned());
    }
    (
        format!("ONLY {} AS t", request.relation),
        filters.join(" AND "),
        format!(" LIMIT {}", request.rows_max),
    )
}

fn by_keys(
    access: &Access,
    request: &PageRequest,
    next_bind: &mut usize,
) -> (String, String, String) {
    let mut arrays = Vec::new();
    let mut names = Vec::new();
    let mut joins = Vec::new();
    for (i, key) in access.table.keys.iter().enumerate() {
        arrays.push(format!("${next_bind}::text[]"));
        *next_bind += 1;
        names.push(format!("\"~k{i}\""));
        joins.push(format!(
            "{} {} v.\"~k{i}\"::{}",
            key_order::column(key, "t"),
            key_order::operator(key, "="),
            key.cast
        ));
    }
    (
        format!(
            "ONLY {} AS t JOIN unnest({}) AS v({}) ON {}",
            request.relation,
            arrays.join(", "),
            names.join(", "),
            joins.join(" AND ")
        ),
        "true".to_owned(),
        String::new(),
    )
}
