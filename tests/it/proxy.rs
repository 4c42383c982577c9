//! The data plane through real sockets: what the client saw, what each provider got, what was recorded.

mod access;
mod answers;
mod attempts;
mod bodies;
mod drill;
mod edge;
mod egress;
mod explain;
mod failover;
mod headers;
mod health;
mod hold;
mod http2;
mod keepalive;
mod kept;
mod limits;
mod models;
mod outcomes;
mod passing;
mod replay;
mod selection;
mod streams;
mod tls;
mod usage;
mod websocket;

use std::net::SocketAddr;

/// A declarative file: one group `prod` of kind `llm`, everything allowed, providers with priorities.
pub(crate) fn group_of(providers: &[(&str, SocketAddr, u32)]) -> String {
    group_with("llm", "", providers)
}

/// The same of another kind, with more lines in the group, each indented by four.
fn group_with(kind: &str, more: &str, providers: &[(&str, SocketAddr, u32)]) -> String {
    let mut file = "providers:\n".to_owned();
    for (name, address, _) in providers {
        file.push_str(&format!(
            "  - name: {name}\n    base_url: http://{address}/base\n    credentials: [{{ label: main, secret: sk-secret-of-{name} }}]\n    timeouts: {{ connect_ms: 1000, first_byte_ms: 400, idle_ms: 400 }}\n"
        ));
    }
    file.push_str(&format!("groups:\n  - name: Production\n    slug: prod\n    kind: {kind}\n    path_policy: everything\n{more}    providers:\n"));
    for (name, _, priority) in providers {
        file.push_str(&format!("      - {{ provider: {name}, priority: {priority} }}\n"));
    }
    file
}
