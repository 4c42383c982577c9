//! Tokens that one request used, as its provider counted them.

use serde::{Deserialize, Serialize};

/// Tokens of one request. What the provider did not say is unknown (`None`), never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens sent to the model, those read from a cache among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Tokens the model wrote, those of its reasoning among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Those of `input` that the provider read from its cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// Those of `output` that were reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// Whether the numbers are the gateway's estimate instead of the provider's count.
    pub estimated: bool,
}

impl Usage {
    /// Input and output together, of what is known; `None` when neither is.
    pub fn total(&self) -> Option<u64> {
        match (self.input, self.output) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
        }
    }
}
