//! A refused plain form: brought back to its page with what was typed and what is wrong.
//!
//! Without scripts the answer of a form is a redirect, which carries no body. What was typed waits
//! for a minute in a cookie that scripts cannot read and that the next page takes away: no server
//! has to remember it, so any instance may answer. Only the controls of [`Returned::KEPT`] travel;
//! passwords and keys are typed again.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};

use super::Sessions;
use crate::model::{error::ApiError, plain_form::Returned};

const NAME: &str = "rondo_returned";
const WAITS_S: u32 = 60;
/// Browsers keep 4096 bytes of name, value and attributes.
const LONGEST: usize = 3800;

impl Sessions {
    /// The `Set-Cookie` header that carries a refused form to the page after it. Too much text stays
    /// behind; too many problems do as well.
    pub fn bring_back(&self, mut returned: Returned) -> Option<HeaderValue> {
        returned.typed.retain(|(name, _)| Returned::keeps(name));
        let fits = |returned: &Returned| written(returned).filter(|value| value.len() <= LONGEST);
        let value = fits(&returned).or_else(|| {
            returned.typed.clear();
            fits(&returned)
        });
        let value = value.or_else(|| {
            if let ApiError::Invalid { problems } = &mut returned.error {
                problems.truncate(8);
            }
            fits(&returned)
        })?;
        self.cookie_of_return(&value, WAITS_S)
    }

    /// The form that waits for this page, and the `Set-Cookie` header that takes it away.
    pub fn brought_back(&self, headers: &HeaderMap) -> Option<(Returned, HeaderValue)> {
        let value = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|cookies| cookies.to_str().ok())
            .find_map(|text| text.split(';').find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('=')))?;
        let returned = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
        Some((returned, self.cookie_of_return("", 0)?))
    }

    fn cookie_of_return(&self, value: &str, max_age_s: u32) -> Option<HeaderValue> {
        let secure = if self.0.site.https { "; Secure" } else { "" };
        let text = format!("{NAME}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&text).ok()
    }
}

fn written(returned: &Returned) -> Option<String> {
    serde_json::to_vec(returned).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}
