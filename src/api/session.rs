//! Who is here: signing in and out, one's own password.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::{error::ApiError, user::Viewer};

/// The person at the browser; `None` when nobody is signed in.
#[server(client = Browser, prefix = "/rpc", endpoint = "session/viewer")]
pub async fn current_viewer() -> Result<Option<Viewer>, ApiError> {
    crate::server::session::viewer().await
}

/// Signs in, then goes where the person wanted to go.
#[server(client = Browser, prefix = "/rpc", endpoint = "session/login")]
pub async fn login(username: String, password: String, next: Option<String>) -> Result<(), ApiError> {
    use crate::{model::user::LoginDraft, server::session};
    session::login(LoginDraft { username, password }).await?;
    leptos_axum::redirect(&inside(next.as_deref().unwrap_or_default()));
    Ok(())
}

/// Signs this browser out.
#[server(client = Browser, prefix = "/rpc", endpoint = "session/logout")]
pub async fn logout() -> Result<(), ApiError> {
    crate::server::session::logout().await?;
    leptos_axum::redirect("/login");
    Ok(())
}

/// Ends all of one's sessions, this one too.
#[server(client = Browser, prefix = "/rpc", endpoint = "session/logout_everywhere")]
pub async fn logout_everywhere() -> Result<(), ApiError> {
    crate::server::session::logout_everywhere().await?;
    leptos_axum::redirect("/login");
    Ok(())
}

/// Changes one's own password; all of one's sessions end by it.
#[server(client = Browser, prefix = "/rpc", endpoint = "session/change_password")]
pub async fn change_password(current: String, new: String) -> Result<(), ApiError> {
    use crate::{model::user::PasswordChange, server::session};
    let (admin, who) = session::signed_in().await?;
    admin.users().change_own_password(&who, PasswordChange { current, new }).await?;
    leptos_axum::redirect("/login");
    Ok(())
}

/// Where to go after signing in: a path of the back office; anything else, such as another site,
/// is the dashboard.
pub fn inside(next: &str) -> String {
    let ours =
        next == "/admin" || next.starts_with("/admin/") || next.starts_with("/admin?") || next.starts_with("/setup");
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours && plain { next.to_owned() } else { "/admin".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_never_leads_to_another_site() {
        assert_eq!(inside("/admin/providers?q=a"), "/admin/providers?q=a");
        assert_eq!(inside("//evil.example"), "/admin");
        assert_eq!(inside("https://evil.example/admin"), "/admin");
        assert_eq!(inside("/admin\r\nSet-Cookie: a=b"), "/admin");
        assert_eq!(inside("/administrator"), "/admin");
    }
}
