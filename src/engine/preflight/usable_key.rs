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
            "there is no usable key of purpose cell",
            "see `phiseal keys list`: a suspended key is taken back by `phiseal keys resume`, and replaced by \
             `phiseal rotate` after that; where there is none, make one with `phiseal keys create`",
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
            "there is no usable key of purpose blind_index, and the plan has a blind index",
            "see `phiseal keys list`: a suspended key is taken back by `phiseal keys resume`; where there is none, \
             make one with `phiseal keys create --purpose blind_index`",
        );
    }
}
