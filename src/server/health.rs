//! What each provider and credential is good for now, learnt from the traffic itself.
//!
//! [`breaker`] is the pure state machine of one provider; [`cooldown`] reads how long an upstream
//! asks to be left alone; [`outcome`] names the end of an attempt, [`passive`] says what it means
//! for both.
//! [`probe`] asks by itself where no traffic does.
//! [`board`] holds the shared state: it outlives routing tables, counts what is in flight and
//! tells changes to whoever listens.

pub mod board;
pub mod breaker;
pub mod clock;
pub mod cooldown;
pub mod credential;
pub mod drill;
pub mod outcome;
pub mod panic;
pub mod passive;
pub mod permit;
pub mod probe;
pub mod provider;
pub mod window;
