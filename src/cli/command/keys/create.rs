//! `phiseal keys create`: makes data keys, stores them, proves that they can be read back, and
//! activates them.

use serde_json::json;

use super::list;
use crate::cli::args::{Global, KeyPurpose, NewKeys};
use crate::cli::output::Output;
use crate::cli::session::{Session, actor};
use crate::crypto::Purpose;
use crate::error::{Exit, Fault};
use crate::keys::{Issuer, KeyError, KeyRecord, KeyStatus, Keyring};
use crate::run::audit::Created;

pub async fn run(global: &Global, wish: &NewKeys, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let provider = session.provider().await?;
    let store = session.store.as_ref();
    let records = store.key_records().await?;
    // Before any key is made: with keys under two wrapping keys, no run could load them all.
    let keyring = Keyring::load(&records, provider.as_ref()).await?;
    let wanted = asked(wish.purpose);
    let missing = missing(&records, wish, &wanted)?;
    let actor = actor();
    let issuer = Issuer {
        table: store,
        provider: provider.as_ref(),
        actor: &actor,
        reason: wish.reason.as_deref(),
        due: session.plan.keys.rotate_every,
        scribe: &Created::new(&keyring, &actor),
    };
    let mut ids = Vec::new();
    for purpose in &missing {
        let key = match issuer.issue(&wish.tenant, *purpose).await {
            // Another process made it a moment ago.
            Err(KeyError::AlreadyActive { .. }) if wish.if_missing => continue,
            issued => issued?,
        };
        ids.push(key.key_id());
        // The very first key already wrote the audit entry of its own creation.
        keyring.add([key]);
    }
    if keyring.active("", Purpose::Cell).is_none() {
        output.say(
            "There is no audit log yet: it begins with the first cell key without a tenant, which every run needs. \
             Create it with `phiseal keys create`.",
        );
    }
    for purpose in wanted.iter().filter(|purpose| !missing.contains(purpose)) {
        output.say(&format!(
            "There is an active {} key already; it was left as it is.",
            purpose.as_str()
        ));
    }
    let created = store.key_records_by_id(&ids).await?;
    let value = json!({ "created": created.iter().map(list::object).collect::<Vec<_>>() });
    let text = match created.is_empty() {
        true => "no key was missing".to_owned(),
        false => list::table(&created),
    };
    output.result(&value, &text);
    Ok(Exit::Done)
}

fn asked(purpose: Option<KeyPurpose>) -> Vec<Purpose> {
    match purpose {
        None => vec![Purpose::Cell, Purpose::BlindIndex],
        Some(KeyPurpose::Cell) => vec![Purpose::Cell],
        Some(KeyPurpose::BlindIndex) => vec![Purpose::BlindIndex],
    }
}

/// Those of `wanted` for which the tenant has no active key. Refuses if the key of a missing purpose is
/// suspended; and if none is missing, unless the wish is to make what is missing only.
fn missing(
    records: &[KeyRecord],
    wish: &NewKeys,
    wanted: &[Purpose],
) -> Result<Vec<Purpose>, KeyError> {
    let tenant = &wish.tenant;
    let is_active = |purpose: &Purpose| {
        records.iter().any(|record| {
            record.status == KeyStatus::Active
                && record.tenant == *tenant
                && record.purpose == *purpose
        })
    };
    let missing: Vec<Purpose> = wanted.iter().copied().filter(|p| !is_active(p)).collect();
    let suspended = records.iter().find(|record| {
        record.status == KeyStatus::Suspended
            && record.tenant == *tenant
            && missing.contains(&record.purpose)
    });
    if let Some(record) = suspended {
        let key_id = record.key_id;
        return Err(KeyError::SuspendedStands { key_id });
    }
    match wanted.first() {
        Some(purpose) if missing.is_empty() && !wish.if_missing => {
            Err(KeyError::AlreadyActive { purpose: *purpose })
        }
        _ => Ok(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyId;
    use crate::engine::health::fixture;

    const BOTH: [Purpose; 2] = [Purpose::Cell, Purpose::BlindIndex];

    fn key(id: i64, tenant: &str, purpose: Purpose, status: KeyStatus) -> KeyRecord {
        let mut record = fixture::key(id);
        record.key_id = KeyId::new(id).unwrap();
        record.tenant = tenant.to_owned();
        record.purpose = purpose;
        record.status = status;
        record
    }

    fn without_tenant(if_missing: bool) -> NewKeys {
        NewKeys {
            purpose: None,
            tenant: String::new(),
            if_missing,
            reason: None,
        }
    }

    fn create(records: &[KeyRecord], wanted: &[Purpose]) -> Result<Vec<Purpose>, KeyError> {
        missing(records, &without_tenant(false), wanted)
    }

    #[test]
    fn without_a_purpose_only_what_is_missing_is_made() {
        let cell = key(1, "", Purpose::Cell, KeyStatus::Active);
        assert_eq!(create(&[], &BOTH).unwrap(), BOTH);
        let left = create(std::slice::from_ref(&cell), &BOTH).unwrap();
        assert_eq!(left, [Purpose::BlindIndex]);
        // Keys of another tenant do not count.
        let other = NewKeys {
            tenant: "clinic".to_owned(),
            ..without_tenant(false)
        };
        assert_eq!(missing(&[cell], &other, &BOTH).unwrap(), BOTH);
    }

    #[test]
    fn a_key_taken_out_of_use_is_not_in_the_way_of_a_new_one() {
        let old = key(1, "", Purpose::Cell, KeyStatus::Deactivated);
        assert_eq!(create(&[old], &BOTH).unwrap(), BOTH);
    }

    #[test]
    fn a_suspended_key_stands_in_the_way_until_somebody_decides() {
        let aside = key(1, "", Purpose::Cell, KeyStatus::Suspended);
        for if_missing in [false, true] {
            let wish = without_tenant(if_missing);
            let refused = missing(std::slice::from_ref(&aside), &wish, &BOTH).unwrap_err();
            assert!(matches!(refused, KeyError::SuspendedStands { .. }));
        }
        assert_eq!(create(&[aside], &BOTH[1..]).unwrap(), BOTH[1..]);
    }

    #[test]
    fn a_purpose_with_an_active_key_is_refused_unless_only_what_is_missing_is_wanted() {
        let keys = BOTH.map(|purpose| key(1, "", purpose, KeyStatus::Active));
        for wanted in [&BOTH[..], &BOTH[..1], &BOTH[1..]] {
            let refused = create(&keys, wanted).unwrap_err();
            assert!(matches!(refused, KeyError::AlreadyActive { .. }));
            assert_eq!(missing(&keys, &without_tenant(true), wanted).unwrap(), []);
        }
    }
}
