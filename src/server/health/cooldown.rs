//! How long an upstream asks to be left alone: every way providers say it, read without panics.

/// Shortest cooldown, milliseconds.
pub const SHORTEST_MS: u64 = 1_000;
/// Longest cooldown, milliseconds.
pub const LONGEST_MS: u64 = 86_400_000;

/// Keeps a pause within 1 s and 24 h.
pub fn clamp_ms(pause_ms: u64) -> u64 {
    pause_ms.clamp(SHORTEST_MS, LONGEST_MS)
}
