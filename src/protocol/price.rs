//! Prices, as agents state them.

use serde_json::Number;

/// The longest one, in characters: it is copied again and again.
const LONGEST: usize = 40;

/// Whether a number can be a price: an agent may print any.
pub fn is_price(number: &Number) -> bool {
    number.as_str().len() <= LONGEST && number.as_f64().is_some_and(|price| price.is_finite() && price >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_no_debt_and_has_few_digits() {
        for (number, expected) in
            [("0", true), ("0.5", true), ("1e308", true), ("-0.01", false), ("1e999", false)]
        {
            assert_eq!(is_price(&serde_json::from_str(number).unwrap()), expected, "{number}");
        }
        let long = format!("0.{}", "1".repeat(LONGEST));
        assert!(!is_price(&serde_json::from_str(&long).unwrap()));
    }
}
