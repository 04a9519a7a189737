//! Numbers by name: ranges that a clinician, or a bookkeeper, would believe.

use super::fits;
use super::make::Make;

/// Name, least, most, digits after the point.
const RANGES: [(&str, f64, f64, u32); 52] = [
    ("temperature_c", 36.2, 39.1, 1),
    ("heart_rate", 58.0, 118.0, 0),
    ("respiratory_rate", 14.0, 26.0, 0),
    ("systolic", 92.0, 128.0, 0),
    ("diastolic", 52.0, 82.0, 0),
    ("oxygen_saturation", 94.0, 100.0, 0),
    ("pain_score", 0.0, 8.0, 0),
    ("height_cm", 105.0, 185.0, 1),
    ("weight_kg", 17.0, 88.0, 1),
    ("bmi", 13.5, 29.0, 1),
    ("*percentile*", 2.0, 98.0, 0),
    ("gpa", 1.8, 4.0, 2),
    ("result_value", 1.0, 14.0, 1),
    ("class_minutes_missed", 5.0, 55.0, 0),
    ("total_doses", 3.0, 5.0, 0),
    ("doses_required", 2.0, 5.0, 0),
    ("doses_received", 0.0, 5.0, 0),
    ("dose_number", 1.0, 5.0, 0),
    ("minimum_age_months", 2.0, 12.0, 0),
    ("recommended_age_months", 12.0, 132.0, 0),
    ("minimum_interval_days", 28.0, 180.0, 0),
    ("authorization_level", 1.0, 3.0, 0),
    ("priority", 1.0, 3.0, 0),
    ("total_enrollment", 180.0, 1_900.0, 0),
    ("failed_login_attempts", 0.0, 3.0, 0),
    ("attempts", 1.0, 4.0, 0),
    ("failure_count", 0.0, 3.0, 0),
    ("witness_count", 0.0, 4.0, 0),
    ("case_count", 2.0, 24.0, 0),
    ("observed", 8.0, 40.0, 0),
    ("expected", 2.0, 8.0, 2),
    ("threshold", 6.0, 12.0, 2),
    ("refills", 0.0, 5.0, 0),
    ("fiscal_year", 2024.0, 2027.0, 0),
    ("retain_years", 1.0, 10.0, 0),
    ("rating", 2.5, 5.0, 1),
    ("passing_score", 70.0, 90.0, 0),
    ("*duration_minutes", 10.0, 60.0, 0),
    ("*_minutes*", 5.0, 90.0, 0),
    ("duration_ms", 12.0, 9_000.0, 0),
    ("*version", 1.0, 4.0, 0),
    ("*failed", 0.0, 3.0, 0),
    ("*_total", 10.0, 400.0, 0),
    ("*processed", 10.0, 400.0, 0),
    ("min_value", 0.0, 10.0, 0),
    ("max_value", 50.0, 100.0, 0),
    ("*size*", 2_000.0, 900_000.0, 0),
    ("received_quantity", 0.0, 10.0, 0),
    ("*quantity", 15.0, 90.0, 0),
    ("amount*", 25.0, 480.0, 2),
    ("*cost", 1.5, 95.0, 2),
    ("allocated", 5_000.0, 80_000.0, 2),
];

/// What a name says about its number.
pub fn known(column: &str) -> Option<(f64, f64, u32)> {
    let found = RANGES.iter().find(|(pattern, ..)| fits(pattern, column));
    found.map(|(_, least, most, scale)| (*least, *most, *scale))
}

pub fn integer(column: &str, max: i64) -> Make {
    let (least, most) = match known(column) {
        Some((least, most, _)) => (least as i64, most as i64),
        // Wide enough not to count as one of a few.
        None => (1, 1_200),
    };
    Make::Integer {
        least,
        most: most.min(max),
        apart: false,
    }
}

pub fn decimal(column: &str, digits: Option<(u32, u32)>) -> Make {
    let (least, most, scale) = known(column).unwrap_or((1.0, 90.0, 2));
    let (whole, scale) = match digits {
        Some((all, after)) => (all.saturating_sub(after), scale.min(after)),
        None => (15, scale),
    };
    let widest = 10_f64.powi(i32::try_from(whole).unwrap_or(15)) - 1.0;
    Make::Decimal {
        least: least.min(widest),
        most: most.min(widest),
        scale,
        apart: false,
    }
}

/// Of a hundred rows, how many say yes.
pub fn yes_percent(column: &str) -> u8 {
    const OFTEN: [&str; 6] = [
        "*active*",
        "*enabled*",
        "*verified*",
        "*live*",
        "is_current",
        "*primary*",
    ];
    const SELDOM: [&str; 7] = [
        "*required*",
        "*confidential*",
        "*controlled*",
        "must_*",
        "two_factor*",
        "*deleted*",
        "*archived*",
    ];
    if OFTEN.iter().any(|pattern| fits(pattern, column)) {
        92
    } else if SELDOM.iter().any(|pattern| fits(pattern, column)) {
        12
    } else {
        50
    }
}
