//! The program: command line in, exit code out.

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::var("RONDO_LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let pages = rondo::serve::site::pages(&rondo::serve::site::leptos_options(), || {});
    axum::serve(listener, pages).await
}
