//! How the browser hears a refusal.
//!
//! A browser writes a line into its console for every answer from 400 on. That is right for what
//! should not happen, and noise for what a form is for: a field to mend, a record that somebody else
//! saved first. The server answers those two 200 and names the status they stand for in
//! [`REFUSED`]; here that status takes effect, so a caller sees the same `Err` either way.

use std::future::Future;

use futures_util::{Sink, Stream};
use leptos::server_fn::{
    Bytes,
    client::{Client, browser::BrowserClient},
    error::FromServerFnError,
    request::browser::BrowserRequest,
    response::{ClientRes, browser::BrowserResponse},
};

/// Header with the status that a refusal answered 200 stands for: `409`, `422`.
pub const REFUSED: &str = "rondo-refused";

/// The `fetch` of every server function.
pub struct Browser;

/// An answer, and the status it stands for.
pub struct Told {
    answer: BrowserResponse,
    status: u16,
}

type Plain<E> = <BrowserClient as Client<E>>::Response;

impl<E> Client<E> for Browser
where
    E: FromServerFnError,
    BrowserClient: Client<E, Request = BrowserRequest, Response = BrowserResponse>,
    BrowserResponse: ClientRes<E>,
{
    type Request = BrowserRequest;
    type Response = Told;

    async fn send(request: Self::Request) -> Result<Told, E> {
        let answer: Plain<E> = <BrowserClient as Client<E>>::send(request).await?;
        let refused = answer.generate_headers().get(REFUSED).and_then(|value| value.to_str().ok()?.parse().ok());
        let status = refused.unwrap_or_else(|| ClientRes::<E>::status(&answer));
        Ok(Told { answer, status })
    }

    fn open_websocket(
        path: &str,
    ) -> impl Future<
        Output = Result<
            (impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static, impl Sink<Bytes> + Send + 'static),
            E,
        >,
    > + Send {
        <BrowserClient as Client<E>>::open_websocket(path)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        <BrowserClient as Client<E>>::spawn(future);
    }
}

impl<E: FromServerFnError> ClientRes<E> for Told {
    fn try_into_string(self) -> impl Future<Output = Result<String, E>> + Send {
        self.answer.try_into_string()
    }

    fn try_into_bytes(self) -> impl Future<Output = Result<Bytes, E>> + Send {
        self.answer.try_into_bytes()
    }

    fn try_into_stream(self) -> Result<impl Stream<Item = Result<Bytes, Bytes>> + Send + Sync + 'static, E> {
        self.answer.try_into_stream()
    }

    fn status(&self) -> u16 {
        self.status
    }

    fn status_text(&self) -> String {
        ClientRes::<E>::status_text(&self.answer)
    }

    fn location(&self) -> String {
        ClientRes::<E>::location(&self.answer)
    }

    fn has_redirect(&self) -> bool {
        ClientRes::<E>::has_redirect(&self.answer)
    }
}
