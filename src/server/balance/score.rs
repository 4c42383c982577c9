//! One number out of what an operator wants and what health allows.

/// Effective weight: base priority (0–1000; 0 is drained) × health factor (0–1).
pub fn effective(priority: u32, factor: f64) -> f64 {
    f64::from(priority) * factor.clamp(0.0, 1.0)
}

/// Target shares, in order, of these effective weights; all zero when nothing has weight.
pub fn shares(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().filter(|weight| weight.is_finite()).sum();
    let share = |weight: &f64| if total > 0.0 && weight.is_finite() { weight / total } else { 0.0 };
    weights.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_and_health_multiply() {
        assert_eq!(effective(100, 0.5), 50.0);
        assert_eq!(effective(0, 1.0), 0.0);
        assert_eq!(effective(1000, 7.0), 1000.0);
    }

    #[test]
    fn shares_sum_to_one_or_are_all_zero() {
        assert_eq!(shares(&[50.0, 30.0, 20.0]), [0.5, 0.3, 0.2]);
        assert_eq!(shares(&[0.0, 0.0]), [0.0, 0.0]);
    }
}
