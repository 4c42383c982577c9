//! Alerts: what is watched, what is found, where it is told.
//!
//! Every few seconds one task ([`desk`]) looks at health, statistics and caps as they are
//! ([`observe`]), asks the pure [`rules`] what that means, writes down what opened or ended, and
//! hands messages to a worker per channel ([`dispatch`]). No request ever waits for any of it, and
//! no channel for another: one that hangs, redirects or answers 500 keeps only its own messages
//! waiting, for a bounded time.

pub mod channel;
pub mod desk;
mod dispatch;
mod messenger;
mod observe;
pub mod post;
pub mod rules;
mod smtp;
mod throttle;
mod words;

pub use self::{
    desk::Desk,
    messenger::{Messenger, Postmark},
    observe::Views,
};
