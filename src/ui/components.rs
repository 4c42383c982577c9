//! Components: each is one idea about a screen. Tokens and shapes are in `style/`.

pub mod chart;
pub mod dialog;
pub mod feedback;
pub mod form;
pub mod layout;
pub mod palette;
pub mod shortcut;
pub mod status;
pub mod table;
pub mod toast;
