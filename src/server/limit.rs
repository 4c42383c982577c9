//! How much each client may ask for, and each upstream may be asked.
//!
//! Rates: [`gcra`] is the arithmetic, pure; [`local`] keeps a bucket per subject on this node.
//! Caps: [`calendar`] tells days and months apart, pure; [`caps`] counts what was used of them.

pub mod calendar;
pub mod caps;
pub mod gcra;
pub mod local;
