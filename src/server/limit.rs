//! How much each client may ask for, and each upstream may be asked.
//!
//! [`gcra`] is the arithmetic, pure; [`local`] keeps a bucket per subject on this node.

pub mod gcra;
pub mod local;
