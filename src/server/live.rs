//! What a browser tab hears: one event stream per tab, at most one snapshot a second.
//!
//! A snapshot is made once for all tabs and only while somebody listens; a second in which nothing
//! moved sends nothing. A tab that falls behind is told to refetch instead of being fed old news.

mod hub;
mod stream;

pub use self::{
    hub::{Hub, Sources},
    stream::router,
};
