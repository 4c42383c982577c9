//! Server functions: signatures the browser shares, bodies that only the server runs.
