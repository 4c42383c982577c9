//! `rondo demo`: two providers that this process plays itself, and an audience that keeps asking.
//!
//! Everything between them is the real thing: the file is applied, the key is made and each request
//! goes through the listening socket. It needs no account, no network and no data directory, and
//! shows within a minute how a failing provider is left alone and comes back.

mod audience;
mod provider;

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use uuid::Uuid;

use self::provider::Part;
use super::chaos::{Chaos, Options};

/// The slug of the demo's group.
pub const GROUP: &str = "demo";

/// Both providers, listening.
pub struct Stage {
    steady: Chaos,
    moody: Chaos,
}

impl Stage {
    /// Starts both providers on free ports of the loopback.
    pub async fn set() -> io::Result<Self> {
        Ok(Self { steady: play(Part::Adagio).await?, moody: play(Part::Presto).await? })
    }

    /// The declarative file that puts Rondo in front of them.
    pub fn configuration(&self) -> String {
        format!(
            "providers:\n\
             \x20 - name: adagio\n    base_url: http://{}\n    credentials: [{{ label: main, secret: demo-adagio }}]\n\
             \x20 - name: presto\n    base_url: http://{}\n    credentials: [{{ label: main, secret: demo-presto }}]\n\
             groups:\n\
             \x20 - name: Demo\n    slug: {GROUP}\n    kind: llm\n    providers:\n\
             \x20     - {{ provider: adagio, priority: 40 }}\n\
             \x20     - {{ provider: presto, priority: 60 }}\n",
            self.steady.address, self.moody.address
        )
    }

    /// Plays until it is dropped: both providers answer, the audience calls `gateway` with `key`.
    pub async fn play(self, gateway: SocketAddr, key: &str) {
        audience::ask(gateway, GROUP, key).await;
    }
}

async fn play(part: Part) -> io::Result<Chaos> {
    let options = Options { director: Some(part.director()), ..Options::default() };
    Chaos::start((Ipv4Addr::LOCALHOST, 0).into(), options).await
}

/// A data directory that goes when the demo ends.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// Makes a new one below the system's directory for temporary files.
    pub fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("rondo-demo-{}", Uuid::now_v7().simple()));
        fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _nothing_depends_on_it = fs::remove_dir_all(&self.path);
    }
}
