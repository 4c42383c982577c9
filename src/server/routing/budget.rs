//! How many retries a group may make: a pure token bucket.

/// Retries allowed to a group: 20 % of its requests and two a second, so that failover cannot
/// multiply the load on providers that are already in trouble (gateway.md §6). Pure.
#[derive(Clone, Copy, Debug)]
pub struct RetryBudget {
    tokens: f64,
    refilled_ms: u64,
}

impl RetryBudget {
    const PER_REQUEST: f64 = 0.2;
    const PER_SECOND: f64 = 2.0;
    const MOST: f64 = 100.0;

    /// A request came.
    pub fn deposit(&mut self) {
        self.tokens = (self.tokens + Self::PER_REQUEST).min(Self::MOST);
    }

    /// Takes one retry; `false` when none is left.
    pub fn withdraw(&mut self, now_ms: u64) -> bool {
        let elapsed_ms = now_ms.saturating_sub(self.refilled_ms);
        self.refilled_ms = now_ms;
        self.tokens = (self.tokens + Self::PER_SECOND * elapsed_ms as f64 / 1000.0).min(Self::MOST);
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }

    /// Gives one back: the retry did not go to another provider after all.
    pub fn refund(&mut self) {
        self.tokens = (self.tokens + 1.0).min(Self::MOST);
    }
}

impl Default for RetryBudget {
    /// Starts with ten seconds' worth, so that a group's first failures are saved too.
    fn default() -> Self {
        Self { tokens: 10.0 * Self::PER_SECOND, refilled_ms: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_bounded_by_requests_and_time() {
        let mut budget = RetryBudget { tokens: 0.0, refilled_ms: 0 };
        assert!(!budget.withdraw(0));
        for _ in 0..6 {
            budget.deposit();
        }
        assert!(budget.withdraw(0));
        assert!(!budget.withdraw(0));
        budget.refund();
        assert!(budget.withdraw(0) && !budget.withdraw(0));
        assert!(budget.withdraw(1_000) && budget.withdraw(1_000) && !budget.withdraw(1_000));
    }
}
