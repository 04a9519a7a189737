//! Two saved runs, compared by their ratios: a run on another day, or another machine, has other
//! rates, but what a contestant makes of its floor should stay.

use super::record::Record;

/// A loss of more than this is a loss.
const LOSS_MAX: f64 = 0.10;

/// What is worse in `new` than in `old`, a line each; and a line for each contestant.
pub fn compare(old: &Record, new: &Record) -> (Vec<String>, Vec<String>) {
    let (before, after) = (old.ratios(), new.ratios());
    let mut lines = Vec::new();
    let mut losses = Vec::new();
    for (name, was) in &before {
        match after.get(name) {
            Some(is) => {
                let change = (is / was - 1.0) * 100.0;
                lines.push(format!("{name:<18} {was:>8.3} {is:>8.3} {change:>+7.1} %"));
                if *is < was * (1.0 - LOSS_MAX) {
                    losses.push(format!("{name}: {was:.3} of its floor before, {is:.3} now"));
                }
            }
            None => losses.push(format!(
                "{name}: {was:.3} of its floor before, not measured now"
            )),
        }
    }
    (lines, losses)
}

/// Reads both files and says what became of each ratio; whether nothing was lost.
pub fn run(old: &str, new: &str) -> bool {
    let read = |path: &str| -> Record {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let (lines, losses) = compare(&read(old), &read(new));
    println!("{:<18} {:>8} {:>8}", "", "before", "now");
    for line in lines {
        println!("{line}");
    }
    for loss in &losses {
        println!("lost: {loss}");
    }
    losses.is_empty()
}
