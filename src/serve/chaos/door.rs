//! The way to the provider: open, refusing, or so full that a connection hangs.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{Shared, connection};

/// What happens to whoever connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// They are served.
    Open,
    /// They are refused, as by a program that is not there.
    Refuse {
        /// Until it opens by itself, milliseconds; without: until it is opened.
        for_ms: Option<u64>,
    },
    /// Their connection does not come about: the queue of the listener is full.
    Hang {
        /// Until it opens by itself, milliseconds; without: until it is opened.
        for_ms: Option<u64>,
    },
}

impl Door {
    /// Refuses until it is opened.
    pub const REFUSE: Self = Self::Refuse { for_ms: None };
    /// Hangs until it is opened.
    pub const HANG: Self = Self::Hang { for_ms: None };
}

/// Listens with room for many that connect at once.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

/// A socket that has the address and does not listen: whoever connects is refused.
fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Minds the door until it is dropped, and with it every connection.
pub(super) async fn keep(mut listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut wanted = shared.door.0.subscribe();
    loop {
        let door = *wanted.borrow_and_update();
        match door {
            Door::Open => {
                shared.door.1.send_replace(door);
                accept(&listener, &shared, &mut connections, &mut wanted).await;
            }
            Door::Refuse { for_ms } => {
                drop(listener);
                let held = socket(address)?;
                shared.door.1.send_replace(door);
                stay(for_ms, &shared, &mut wanted).await;
                drop(held);
                listener = bind(address)?;
            }
            Door::Hang { for_ms } => {
                drop(listener);
                let full = fill(address).await?;
                shared.door.1.send_replace(door);
                stay(for_ms, &shared, &mut wanted).await;
                drop(full);
                listener = bind(address)?;
            }
        }
    }
}

/// Serves whoever comes until another door is asked for.
async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    connections: &mut JoinSet<()>,
    wanted: &mut watch::Receiver<Door>,
) {
    loop {
        tokio::select! {
            _ = wanted.changed() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection::serve(stream, shared.clone()))),
                // Out of descriptors: a moment later some are free again.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

/// Leaves the door as it is, until its time is over or another is asked for.
async fn stay(for_ms: Option<u64>, shared: &Shared, wanted: &mut watch::Receiver<Door>) {
    let over = async {
        match for_ms {
            Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {
            shared.door.0.send_replace(Door::Open);
        }
        _ = wanted.changed() => {}
    }
}

/// A listener that accepts nobody, and so many connections that its queue is full: the kernel then
/// drops the first packet of any other.
async fn fill(address: SocketAddr) -> io::Result<(Socket, Vec<TcpStream>)> {
    const PATIENCE: Duration = Duration::from_millis(100);
    let listener = socket(address)?;
    listener.listen(0)?;
    let mut waiting = Vec::new();
    while let Ok(connected) = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
        waiting.push(connected?);
    }
    Ok((listener, waiting))
}
