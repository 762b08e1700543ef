//! A number of a scenario, and what it may be.

use std::ops::RangeInclusive;

#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub key: &'static str,
    pub value: f64,
    pub allowed: RangeInclusive<f64>,
}

pub const fn number(key: &'static str, value: f64, allowed: RangeInclusive<f64>) -> Number {
    Number {
        key,
        value,
        allowed,
    }
}
