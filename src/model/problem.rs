//! Validation: what is wrong with a field, as data.
//!
//! A problem names the field and the issue; the English text is here, the Chinese one in the
//! catalogue of the interface, so one check serves the browser, the server, REST and the file.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::name::UrlFault;

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Path of the field as the JSON has it: `slug`, `credentials[1].secret`.
    pub field: String,
    /// What is wrong.
    pub issue: Issue,
}

impl Problem {
    /// A problem with one field.
    pub fn new(field: impl Into<String>, issue: Issue) -> Self {
        Self { field: field.into(), issue }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.issue)
    }
}

/// What can be wrong with a field, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Issue {
    /// The field is empty.
    #[error("is required")]
    Required,
    /// Too many characters.
    #[error("is longer than {max} characters")]
    TooLong {
        /// The most characters allowed.
        max: u32,
    },
    /// Too few characters.
    #[error("needs at least {min} characters")]
    TooShort {
        /// The fewest characters allowed.
        min: u32,
    },
    /// Control characters or surrounding space in a name.
    #[error("must not start or end with a space or hold control characters")]
    InvalidName,
    /// Not `[a-z0-9-]{1,64}`.
    #[error("takes small letters, digits and hyphens only; try {suggestion}")]
    InvalidSlug {
        /// A valid slug close to what was typed.
        suggestion: String,
    },
    /// Not a usable base address.
    #[error("is not a usable address: {}", url_fault(*reason))]
    InvalidUrl {
        /// Which part is wrong.
        reason: UrlFault,
    },
    /// Outside its range.
    #[error("must be between {min} and {max}")]
    OutOfRange {
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
    },
    /// Another record has this name or slug.
    #[error("is already taken; choose another")]
    Taken,
    /// The same value appears twice in this list.
    #[error("appears twice; keep one")]
    Duplicate,
    /// The body of a recorded request is not there to be sent again.
    #[error("was not kept as text; paste it")]
    BodyNotKept,
    /// Only the beginning of it is, or it is no JSON any more without the secret that was taken out.
    #[error(
        "was not kept as it was sent (only its beginning, or no JSON without a secret that was taken out); paste all of it"
    )]
    BodyIncomplete,
    /// Refers to something that does not exist.
    #[error("names something that does not exist")]
    Unknown,
    /// A new credential needs its secret.
    #[error("a new credential needs its secret")]
    SecretRequired,
    /// The provider's host changed: its sealed secrets are bound to the old one.
    #[error("the host changed, so this secret must be entered again")]
    SecretAgain,
    /// A character that cannot go into an HTTP header.
    #[error("holds characters that cannot be sent in a header")]
    InvalidSecret,
    /// Not a usable header name, or one that Rondo sets itself.
    #[error("is not a header that can be set here")]
    InvalidHeader,
    /// The template does not contain `{{secret}}`.
    #[error("must contain {{secret}} once")]
    InvalidTemplate,
    /// Not an address or CIDR range.
    #[error("is not an IP address or range such as 10.0.0.0/8")]
    InvalidRange,
    /// Not a glob.
    #[error("is not a pattern such as gpt-4* or /v1/**")]
    InvalidPattern,
    /// Not a method name.
    #[error("is not an HTTP method")]
    InvalidMethod,
    /// A date in the past.
    #[error("lies in the past")]
    InPast,
    /// A key that is neither global nor for any group.
    #[error("choose at least one group, or make the key global")]
    ScopeRequired,
    /// An object that is still in use.
    #[error("is still used by {by}")]
    InUse {
        /// What uses it.
        by: String,
    },
    /// A drill runs on this provider already.
    #[error("is in a drill already; stop that one first")]
    DrillRunning,
    /// Something that is switched off cannot be drilled.
    #[error("is switched off; there is nothing to drill")]
    SwitchedOff,
    /// The password is among those everybody tries.
    #[error("is too easy to guess; use a longer phrase")]
    WeakPassword,
    /// More entries than there may be.
    #[error("has more than {max} entries")]
    TooMany {
        /// The most entries allowed.
        max: u32,
    },
    /// Not a price of a million tokens.
    #[error("is not a price: a number from 0 to 100000 for a million tokens, with a point, such as 2.5")]
    InvalidPrice,
    /// Cached input that costs more than input: columns or a decimal comma slipped.
    #[error("costs more than input that is not cached; look for swapped columns or a decimal comma")]
    CachedAboveInput,
    /// Not a line of the price table.
    #[error("is not a line of prices: model, input, output and, if you like, cached input, separated by commas")]
    InvalidPriceLine,
    /// Not a currency.
    #[error("is not a currency: three letters such as USD or CNY")]
    InvalidCurrency,
    /// Not an origin such as `https://app.example.com`.
    #[error("is not an origin such as https://app.example.com")]
    InvalidOrigin,
    /// A file that cannot be read; the message names line and field.
    #[error("cannot be read: {message}")]
    Unreadable {
        /// What the parser says, in one line.
        message: String,
    },
    /// A question that has no answer, and the one to ask instead.
    #[error("{message}")]
    NoAnswer {
        /// What is wrong with it and what would be right, in one line.
        message: String,
    },
    /// A secret that was to come from the environment of the server or the command.
    #[error("the environment has no variable {name}; set it, or write the secret itself")]
    VariableUnset {
        /// Name of the variable.
        name: String,
    },
    /// Without this person nobody could manage people any more.
    #[error("is the last owner who may sign in; make somebody else an owner first")]
    LastOwner,
    /// Something that stays as it was made.
    #[error("cannot be changed; make a new one")]
    Fixed,
    /// Not an address of e-mail.
    #[error("is not an e-mail address such as ops@example.com")]
    InvalidEmail,
    /// Not a chat of Telegram.
    #[error("is not a chat: a number such as -1001234567890, or @name of a public channel")]
    InvalidChat,
    /// Not a mail server.
    #[error("is not a mail server such as mail.example.com:587")]
    InvalidServer,
    /// The host of a channel changed: its sealed secret is bound to the old one.
    #[error("the address leads to another host now, so the secret must be entered again")]
    ChannelSecretAgain,
    /// The present password, asked for again, is wrong.
    #[error("is not your present password")]
    WrongPassword,
}

fn url_fault(fault: UrlFault) -> &'static str {
    match fault {
        UrlFault::Scheme => "it must start with http:// or https://",
        UrlFault::UserInfo => "it holds a user name or password; put keys into credentials",
        UrlFault::Host => "its host is empty or has characters no host can have",
        UrlFault::Port => "its port must be 1 to 65535",
        UrlFault::Path => "its path holds escapes, spaces or dot segments",
        UrlFault::Query => "it has a query, which would be lost; remove it",
        UrlFault::Fragment => "it has a fragment, which is never sent; remove it",
    }
}

/// Something that can be checked before it is stored.
pub trait Validate {
    /// Adds every problem of this value to `problems`; field paths start with `at`.
    fn check(&self, at: &str, problems: &mut Vec<Problem>);

    /// All problems, or nothing.
    fn validate(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        self.check("", &mut problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Joins a field path: `("", "slug")` is `slug`, `("credentials[0]", "label")` is `credentials[0].label`.
pub fn path(at: &str, field: &str) -> String {
    if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") }
}

/// Records the issue of `result`, if any, under `field`.
pub fn note(problems: &mut Vec<Problem>, at: &str, field: &str, result: Result<(), Issue>) {
    if let Err(issue) = result {
        problems.push(Problem::new(path(at, field), issue));
    }
}

/// Checks an inclusive range.
pub fn within(value: i64, min: i64, max: i64) -> Result<(), Issue> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(Issue::OutOfRange { min, max }) }
}
