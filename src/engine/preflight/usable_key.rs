//! E0216: there is a key to seal or open under.

use super::{Findings, Preflight, RunPurpose};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    // A verify only opens values, which a suspended key may do.
    if p.purpose == RunPurpose::Verify {
        return;
    }
    if !p.keys.cell {
        out.refuse(
            "E0216",
            p.plan,
            None,
            "there is no active key that encrypts values (purpose cell)",
            "see `phiseal keys list`: take a suspended key back into use with `phiseal keys resume`, then replace it with \
             `phiseal rotate`; if there is no key, make one with `phiseal keys create`",
        );
    }
    let indexed = p
        .plan
        .columns
        .iter()
        .any(|column| column.blind_index.is_some());
    if indexed && !p.keys.blind_index && p.purpose == RunPurpose::Backfill {
        out.refuse(
            "E0216",
            p.plan,
            None,
            "the plan has a blind index, and there is no active key for it (purpose blind_index)",
            "see `phiseal keys list`: take a suspended key back into use with `phiseal keys resume`; if there is no key, \
             make one with `phiseal keys create --purpose blind_index`",
        );
    }
}
