//! Charts by hand: shapes in a stretched SVG, words and ticks in HTML placed by percent.
//!
//! So the server can draw them at any width, nothing is measured, and nothing jumps when the
//! client takes over. Every chart tells its bucket under pointer and arrow keys, and holds its
//! data as a table.

pub mod latency;
pub mod legend;
pub mod plot;
pub mod requests;
pub mod scale;
pub mod shape;
pub mod share;
pub mod spark;
pub mod strip;
pub mod zoom;
