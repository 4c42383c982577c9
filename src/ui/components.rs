//! Components: each is one idea about a screen. Tokens and shapes are in `style/`.

pub mod feedback;
pub mod layout;
pub mod status;
