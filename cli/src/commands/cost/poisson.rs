//! The Poisson distribution: how many messages arrive in a time, if they arrive independently of each other.

/// Returns the probabilities that 0, 1 … `most` arrive, of `mean` on average. The last one is that of `most` or more.
pub(super) fn capped(mean: f64, most: u32) -> Vec<f64> {
    let mut probability = (-mean).exp();
    let mut probabilities = Vec::new();
    for number in 1..=most {
        probabilities.push(probability);
        probability *= mean / f64::from(number);
    }
    let fewer: f64 = probabilities.iter().sum();
    probabilities.push((1.0 - fewer).max(0.0));
    probabilities
}

/// Returns the expected value of a number with this distribution around `mean`, of which at most `most` count.
pub(super) fn expected(mean: f64, most: u32) -> f64 {
    let fewer = capped(mean, most);
    let missing: f64 =
        (0..most).zip(fewer).map(|(number, probability)| f64::from(most - number) * probability).sum();
    f64::from(most) - missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
    }

    #[test]
    fn the_probabilities_of_all_numbers_make_one() {
        for mean in [0.0, 0.5, 5.0, 50.0, 5_000.0] {
            near(capped(mean, 10).iter().sum(), 1.0);
        }
        let one = (-1_f64).exp();
        for (found, expected) in capped(1.0, 2).into_iter().zip([one, one, 1.0 - 2.0 * one]) {
            near(found, expected);
        }
    }

    #[test]
    fn at_most_so_many_count() {
        near(expected(0.0, 9), 0.0);
        near(expected(1.0, 0), 0.0);
        // One counts unless none arrives.
        near(expected(1.0, 1), 1.0 - (-1_f64).exp());
        near(expected(5_000.0, 9), 9.0);
    }
}
