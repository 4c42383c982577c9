//! Icons and status glyphs: one sprite in the document, one word per use.
//!
//! The sprite (`icon/sprite.svg`) holds Lucide outlines (ISC) and our own status glyphs. Only the
//! server carries it: `shell` writes it once behind the page, and a `<use>` finds it there.

use leptos::prelude::*;

/// The symbols, as the document carries them.
pub const SPRITE: &str = include_str!("icon/sprite.svg");

/// An icon of the sprite, 16 px, for the eye only: the control around it has the name.
/// `name` is a Lucide name that the sprite has.
#[component]
pub fn Icon(
    /// Lucide name.
    name: &'static str,
) -> impl IntoView {
    debug_assert!(is_browser() || SPRITE.contains(&format!("id=\"i-{name}\"")), "the sprite lacks {name}");
    let href = format!("#i-{name}");
    view! { <svg class="icon" aria-hidden="true"><use href=href></use></svg> }
}

/// A status glyph of the sprite, 14 px, in a tone of its own.
#[component]
pub fn Mark(
    /// Which one.
    glyph: Glyph,
) -> impl IntoView {
    let class = format!("glyph tone-{}", glyph.tone());
    let href = format!("#s-{}", glyph.symbol());
    view! { <svg class=class aria-hidden="true"><use href=href></use></svg> }
}

/// The silhouettes of look.md §3; each has one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// Disc with check.
    Ok,
    /// Triangle.
    Warn,
    /// Octagon.
    Bad,
    /// Ring with rising arrow.
    Recovering,
    /// Snowflake.
    Cooling,
    /// Struck key.
    KeyFailed,
    /// Circle with slash.
    Disabled,
    /// Dashed circle with bar.
    Drained,
    /// Life ring.
    Saved,
    /// Broken line.
    Cut,
    /// Door.
    Left,
    /// Gauge.
    Limited,
    /// Battery.
    Full,
    /// Clock.
    Wait,
    /// Bar.
    Skip,
}

impl Glyph {
    /// Name of its symbol in the sprite.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Recovering => "recovering",
            Self::Cooling => "cooling",
            Self::KeyFailed => "keyfail",
            Self::Disabled => "disabled",
            Self::Drained => "drained",
            Self::Saved => "saved",
            Self::Cut => "cut",
            Self::Left => "left",
            Self::Limited => "limited",
            Self::Full => "full",
            Self::Wait => "wait",
            Self::Skip => "skip",
        }
    }

    /// Its colour: `ok`, `warn`, `bad`, `info`, `off`.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn | Self::Limited => "warn",
            Self::Bad | Self::KeyFailed | Self::Cut => "bad",
            Self::Recovering | Self::Cooling | Self::Saved => "info",
            Self::Disabled | Self::Drained | Self::Left | Self::Full | Self::Wait | Self::Skip => "off",
        }
    }
}
