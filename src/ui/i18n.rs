//! Every word on screen, in English and Chinese.
//!
//! A phrase is a function that takes the language, made by [`phrases!`] from both texts side by
//! side: a phrase that lacks a language, a place that names a missing phrase, and a forgotten
//! argument are errors of the compiler. `t!(shell::dashboard)` reads one in the language of the
//! page, `t!(shell::revision, 218)` fills one in. There is a file per area.
//!
//! The language is fixed while a page lives: choosing another loads the page again, rendered in
//! it by the server. So text is plain text, not a signal, and costs no code in the browser.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::preferences::Preferences;

/// Makes phrases: `name => "English", "中文";` or `name(argument: Type) => "… {argument}", "… {argument}";`.
macro_rules! phrases {
    ($($name:ident $(($($argument:ident: $kind:ty),+))? => $en:literal, $zh:literal;)+) => {
        $(phrases!(@one $name $(($($argument: $kind),+))? => $en, $zh);)+
    };
    (@one $name:ident => $en:literal, $zh:literal) => {
        #[doc = $en]
        pub fn $name(language: $crate::ui::i18n::Language) -> &'static str {
            match language {
                $crate::ui::i18n::Language::English => $en,
                $crate::ui::i18n::Language::Chinese => $zh,
            }
        }
    };
    (@one $name:ident($($argument:ident: $kind:ty),+) => $en:literal, $zh:literal) => {
        #[doc = $en]
        pub fn $name(language: $crate::ui::i18n::Language, $($argument: $kind),+) -> String {
            match language {
                $crate::ui::i18n::Language::English => format!($en),
                $crate::ui::i18n::Language::Chinese => format!($zh),
            }
        }
    };
}

/// Reads a phrase in the language of the page: `t!(shell::dashboard)`, `t!(shell::revision, 218)`.
macro_rules! t {
    ($area:ident :: $name:ident $(, $argument:expr)* $(,)?) => {
        $crate::ui::i18n::$area::$name($crate::ui::i18n::language() $(, $argument)*)
    };
}
pub(crate) use t;

pub mod alerts;
pub mod chart;
pub mod dashboard;
pub mod door;
pub mod drill;
pub mod explain;
pub mod failure;
pub mod form;
pub mod group;
pub mod health;
pub mod key;
pub mod palette;
pub mod people;
pub mod problem;
pub mod provider;
pub mod requests;
pub mod shell;
pub mod status;
pub mod time;

/// A language of the screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The value of `lang` and of the cookie.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// Reads a tag (RFC 5646) by its first part.
    pub fn parse(tag: &str) -> Option<Self> {
        match tag.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// The best of `Accept-Language` (RFC 9110 §12.5.4); English if none fits.
    pub fn negotiate(accept: &str) -> Self {
        let mut best = (Self::default(), 0.0_f32);
        for range in accept.split(',') {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(Self::parse) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }

    /// The language that is not this one.
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }
}

/// The language of this page.
pub fn language() -> Language {
    use_context::<Preferences>().unwrap_or_else(Preferences::of_document).language
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_gets_the_language_they_prefer_most() {
        assert_eq!(Language::negotiate("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        assert_eq!(Language::negotiate("de-DE,de;q=0.9,zh;q=0.2,en;q=0.7"), Language::English);
        assert_eq!(Language::negotiate("fr"), Language::English);
        assert_eq!(Language::negotiate(""), Language::English);
        assert_eq!(Language::negotiate("zh-Hant;q=nonsense"), Language::Chinese);
    }

    #[test]
    fn a_phrase_is_filled_in_both_languages() {
        assert_eq!(shell::revision(Language::English, 218), "Revision 218");
        assert_eq!(shell::revision(Language::Chinese, 218), "配置版本 218");
    }
}
