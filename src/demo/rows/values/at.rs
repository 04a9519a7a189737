//! Where a value is made: the table, the row, the column, and the dice that belong to them.
//! Owns the randomness. The same place always draws the same, in whatever order places are asked;
//! what two columns draw by one topic agrees within the row.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Subjects on which the columns of a row agree.
#[derive(Debug, Clone, Copy)]
pub enum Topic {
    Person,
    Other,
    Condition,
    Drug,
    Vaccine,
    Place,
    Time,
    Body,
}

/// The dice of one table.
#[derive(Debug, Clone)]
pub struct Draw {
    seed: [u8; 32],
    /// Whether the persons in it are of school age.
    pub young: bool,
}

impl Draw {
    pub fn new(seed: u64, table: &str) -> Self {
        Self {
            seed: ChaCha8Rng::seed_from_u64(seed ^ fingerprint(table)).random(),
            young: !matches!(table, "patients" | "users" | "user" | "client"),
        }
    }

    /// The dice of one column in one row.
    pub fn of(&self, row: u64, place: u64) -> ChaCha8Rng {
        let mut dice = ChaCha8Rng::from_seed(self.seed);
        dice.set_stream(row);
        // A stream has room for 2^60 blocks; a place takes up to a thousand words of it.
        dice.set_word_pos(u128::from(place & 0xffff_ffff) << 10);
        dice
    }
}

/// One column of one row.
pub struct At<'a> {
    draw: &'a Draw,
    /// Counted from 0.
    pub row: u64,
    column: u64,
}

impl<'a> At<'a> {
    /// `column` is the fingerprint of its name.
    pub fn new(draw: &'a Draw, row: u64, column: u64) -> Self {
        Self { draw, row, column }
    }

    /// The dice of this column alone.
    pub fn own(&self) -> ChaCha8Rng {
        self.draw.of(self.row, self.column | 0x100)
    }

    /// The dice that all columns of this row share on a subject.
    pub fn by(&self, topic: Topic) -> ChaCha8Rng {
        self.draw.of(self.row, topic as u64)
    }

    /// Whether something holds in so many of a hundred rows.
    pub fn chance(&self, percent: u8) -> bool {
        percent > 0
            && self
                .draw
                .of(self.row, self.column ^ 0x5a00_0000)
                .random_range(0..100)
                < percent
    }

    /// One of a list, by this column alone.
    pub fn one<'l, T>(&self, list: &'l [T]) -> &'l T {
        &list[self.own().random_range(0..list.len())]
    }

    /// One of a list, the same place in it for all columns that ask by this subject.
    pub fn same<'l, T>(&self, topic: Topic, list: &'l [T]) -> &'l T {
        &list[self.by(topic).random_range(0..list.len())]
    }

    /// The row, counted from 1.
    pub fn number(&self) -> u64 {
        self.row + 1
    }

    /// Age in years of the person in this row.
    pub fn age(&self) -> u32 {
        let years = if self.draw.young { 5..18 } else { 19..92 };
        self.by(Topic::Body).random_range(years)
    }
}

/// A number for a name, the same in every run and on every machine (FNV-1a).
pub fn fingerprint(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_draws_the_same_whenever_it_is_asked_and_another_place_another() {
        let draw = Draw::new(7, "students");
        let at = |row, name| At::new(&draw, row, fingerprint(name)).own().random::<u64>();
        assert_eq!(at(3, "ssn"), at(3, "ssn"));
        assert_ne!(at(3, "ssn"), at(4, "ssn"));
        assert_ne!(at(3, "ssn"), at(3, "phone"));
        assert_ne!(
            Draw::new(7, "users").of(0, 1).random::<u64>(),
            draw.of(0, 1).random::<u64>()
        );
    }
}
