//! The frame around every page of the back office: sidebar, rail or tab bar, and the page bar.

pub mod bar;
pub mod frame;
pub mod gone;
pub mod help;
pub mod navigation;
pub mod palette;
pub mod switches;

pub use bar::{Crumb, PageBar, StalePill};
pub use frame::Frame;
pub use gone::Gone;
