//! What crosses the wire: typed, validated, without I/O, secrets or database types.
//!
//! Both builds compile this module. A form in the browser, a server function, the REST API and the
//! declarative file all speak these types and check them with the same [`problem::Validate`].

pub mod alert;
pub mod api_key;
pub mod audit;
pub mod body;
pub mod bulk;
pub mod drill;
pub mod error;
pub mod event;
pub mod explain;
pub mod group;
pub mod health;
pub mod id;
pub mod name;
pub mod outcome_rule;
pub mod page;
pub mod plain_form;
pub mod price;
pub mod problem;
pub mod provider;
pub mod rate_limit;
pub mod replay;
pub mod request_log;
pub mod setup;
pub mod stats;
pub mod trace;
pub mod transfer;
pub mod usage;
pub mod user;
