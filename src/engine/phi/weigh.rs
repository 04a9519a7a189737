//! Weighs what speaks for PHI in one column: its name, whom the table is about, and the form of its values.
//! Owns how each of them raises or lowers the confidence, and how the values are told as a reason.

use super::{About, Class, Confidence, Form, FormCounts, Kind, Nature, Rule, Subject};
use crate::plural::counted;

/// Fewer values prove nothing.
const VALUES_MIN: u64 = 20;
/// From this share on, in percent, values have a form.
const MOST: u64 = 50;
/// Up to this share, in percent, they do not have it.
const FEW: u64 = 10;
/// From this share on, in percent, a column is taken for identifiers or digests.
const NEARLY_ALL: u64 = 80;
/// Dates of birth: nearly all are within a lifetime, and at least so many percent are of adults.
const ADULTS: u64 = 30;
/// So many values with so few different ones are a choice from a list.
const CHOICE_VALUES_MIN: u64 = 100;
const CHOICES_MAX: u64 = 10;

/// The reason that the name is one of a rule's.
const ITS_NAME: &str = "its name";

/// What a column seems to hold.
pub(super) struct Weighed {
    pub(super) kind: Kind,
    pub(super) confidence: Confidence,
    pub(super) reasons: Vec<String>,
}

/// Weighs one column; `None` if nothing speaks for PHI.
pub(super) fn weigh(
    rule: Option<&Rule>,
    class: Class,
    about: &About,
    counts: Option<&FormCounts>,
) -> Option<Weighed> {
    let enough = counts.filter(|counts| counts.values >= VALUES_MIN);
    if enough.is_some_and(is_no_text) {
        return None;
    }
    if let Some(counts) = enough.filter(|counts| counts.percent(Form::Ssn) >= MOST) {
        let named = rule.is_some_and(|rule| rule.kind == Kind::SocialSecurity);
        let name = named.then(|| ITS_NAME.to_owned());
        return Some(Weighed {
            kind: Kind::SocialSecurity,
            confidence: Confidence::High,
            reasons: name.into_iter().chain([share(counts, Form::Ssn)]).collect(),
        });
    }
    match rule {
        Some(rule) => by_name(rule, about, enough),
        None => by_form(class, about, enough?),
    }
}

/// Whether values are identifiers of rows, or digests.
fn is_no_text(counts: &FormCounts) -> bool {
    counts.percent(Form::Uuid) >= NEARLY_ALL || counts.percent(Form::Digest) >= NEARLY_ALL
}

fn by_name(rule: &Rule, about: &About, counts: Option<&FormCounts>) -> Option<Weighed> {
    let mut confidence = of_nature(rule.nature, about)?;
    let mut reasons = vec![ITS_NAME.to_owned()];
    if let Some(counts) = counts {
        let best = rule.forms.iter().max_by_key(|form| counts.of(**form));
        if let Some(form) = best {
            match counts.percent(*form) {
                percent if percent >= MOST => reasons.push(share(counts, *form)),
                // The codes of diagnoses are many, and ICD-10 is one of them.
                percent if percent <= FEW && rule.kind != Kind::Health => {
                    confidence = lower(confidence);
                    reasons.push(format!("but only {}", share(counts, *form)));
                }
                _ => {}
            }
        }
        let is_text = matches!(rule.nature, Nature::Note | Nature::Text);
        if is_text && counts.values >= CHOICE_VALUES_MIN && counts.distinct <= CHOICES_MAX {
            confidence = lower(confidence);
            reasons.push(format!(
                "but only {} in {}",
                counted(counts.distinct, "different value"),
                counted(counts.values, "sampled value")
            ));
        }
    }
    Some(Weighed {
        kind: rule.kind,
        confidence,
        reasons,
    })
}

/// What a name is worth in a table.
fn of_nature(nature: Nature, about: &About) -> Option<Confidence> {
    use Confidence::{High, Low, Medium};
    let personal = about.subject.is_personal();
    let unknown = about.subject == Subject::Unknown;
    let things = matches!(about.subject, Subject::Organisation | Subject::Reference);
    let staff = about.subject == Subject::Staff;
    match nature {
        Nature::Identifier if things => Some(Medium),
        Nature::Identifier => Some(High),
        Nature::Personal if personal => Some(High),
        Nature::Personal if things => Some(Low),
        Nature::Personal => Some(Medium),
        Nature::Mention if personal || staff => Some(Medium),
        Nature::Mention => (!things).then_some(Low),
        Nature::Health if personal => Some(High),
        Nature::Health if about.clinical && unknown => Some(Medium),
        Nature::Health => (!things).then_some(Low),
        Nature::Measure if personal && about.clinical => Some(High),
        Nature::Measure if about.subject == Subject::Person => Some(Medium),
        Nature::Measure => (personal || about.clinical && unknown).then_some(Low),
        Nature::Note if personal => Some(High),
        Nature::Note | Nature::Text if about.messages && unknown => Some(Medium),
        Nature::Note => (about.clinical && unknown).then_some(Medium),
        Nature::Text if personal => Some(Medium),
        Nature::Text => (about.clinical && unknown).then_some(Low),
        Nature::Trace => personal.then_some(Low),
    }
}

/// What the form of values says where the name says nothing.
fn by_form(class: Class, about: &About, counts: &FormCounts) -> Option<Weighed> {
    let personal = about.subject.is_personal();
    let born = counts.percent(Form::Day) > 100 - FEW && counts.percent(Form::LongAgo) >= ADULTS;
    let (kind, form, confidence) = if counts.percent(Form::Email) >= MOST {
        (
            Kind::Email,
            Form::Email,
            of_nature(Nature::Personal, about)?,
        )
    } else if born {
        let confidence = match about.subject {
            Subject::Person => Confidence::Medium,
            _ => Confidence::Low,
        };
        (
            Kind::BirthDate,
            Form::LongAgo,
            personal.then_some(confidence)?,
        )
    } else if class != Class::Text {
        return None;
    } else if counts.percent(Form::Phone) >= MOST {
        let confidence = lower(of_nature(Nature::Personal, about)?);
        (Kind::Phone, Form::Phone, confidence)
    } else if counts.percent(Form::Ip) >= MOST {
        (Kind::IpAddress, Form::Ip, Confidence::Low)
    } else if counts.percent(Form::Icd) >= MOST {
        (Kind::Health, Form::Icd, of_nature(Nature::Health, about)?)
    } else if counts.percent(Form::Street) >= MOST && personal {
        (Kind::Address, Form::Street, Confidence::Low)
    } else if counts.percent(Form::Prose) >= MOST && personal && counts.distinct > CHOICES_MAX {
        (Kind::FreeText, Form::Prose, Confidence::Medium)
    } else {
        return None;
    };
    Some(Weighed {
        kind,
        confidence,
        reasons: vec![share(counts, form)],
    })
}

fn share(counts: &FormCounts, form: Form) -> String {
    format!(
        "{} of {} sampled values look like {} {form}",
        counts.of(form),
        counts.values,
        match form {
            Form::Email | Form::Ip | Form::Icd => "an",
            _ => "a",
        }
    )
}

fn lower(confidence: Confidence) -> Confidence {
    match confidence {
        Confidence::High => Confidence::Medium,
        Confidence::Medium | Confidence::Low => Confidence::Low,
    }
}
