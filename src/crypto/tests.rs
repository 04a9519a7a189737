//! Tests of the format as a whole: the worked examples, Wycheproof, and properties.

mod properties;
mod vectors;
mod wrapping;
mod wycheproof;
