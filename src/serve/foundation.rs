//! What the server and every command stand on: data directory, store, master key, bus.

use std::{fs, io, path::PathBuf, sync::Arc};

use crate::server::{
    admin::{Admin, Live, Tools},
    alert::{Messenger, Postmark},
    bus::{Bus, redis::RedisUrlError},
    config::{KeySource, Settings},
    secret::{
        key_file::KeyFileError,
        seal::{MasterKey, SealError},
    },
    store::{Options, Store, StoreError},
    upstream::guard::AddressPolicy,
};

/// Why there is nothing to stand on. Always one line that names the thing and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {source}; give the user that runs rondo write permission on it, or choose another with RONDO_DATA_DIR", path = .path.display())]
    DataDir {
        /// Which directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// `ENCRYPTION_KEY` is no key.
    #[error("ENCRYPTION_KEY: {0}")]
    KeyText(SealError),
    /// `REDIS_URL` is no address.
    #[error(transparent)]
    Redis(#[from] RedisUrlError),
    /// The key file cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The database cannot be used, or the key is not the one it was sealed with.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address to listen on cannot be had.
    #[error("RONDO_LISTEN: {address} cannot be listened on: {source}; stop what uses the port, or choose another")]
    Listen {
        /// Which address.
        address: std::net::SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// Something else failed while starting or running.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
}

/// The store, open, migrated and sealed with the right key; the key; the bus.
#[derive(Clone)]
pub struct Foundation {
    /// Where everything is kept.
    pub store: Store,
    /// What seals secrets.
    pub master: MasterKey,
    /// Where changes are told.
    pub bus: Bus,
    /// Which addresses providers may have.
    pub addresses: Arc<AddressPolicy>,
    /// What messages of alerts carry of this installation.
    pub postmark: Postmark,
}

impl Foundation {
    /// Opens everything these settings name, making what is missing.
    pub async fn open(settings: &Settings) -> Result<Self, StartError> {
        let storage = &settings.storage;
        make_data_dir(&storage.data_dir)?;
        let master = match &storage.encryption_key {
            KeySource::Text(text) => MasterKey::from_text(text.expose()).map_err(StartError::KeyText)?,
            KeySource::File(path) => MasterKey::load(path)?,
            KeySource::Generated(path) => MasterKey::load_or_create(path)?,
        };
        let store = Self::open_store(settings).await?;
        store.migrate().await?;
        store.check_master_key(&master).await?;
        let addresses = AddressPolicy {
            allow_private: settings.gateway.allow_private_upstreams,
            own_listeners: vec![settings.web.listen],
        };
        let bus = match &storage.redis_url {
            Some(url) => Bus::redis(url.expose())?,
            None => Bus::local(),
        };
        let postmark = Postmark {
            site: settings.web.public_url.as_ref().map(|url| url.as_str().to_owned()),
            zone: settings.gateway.time_zone.clone(),
        };
        Ok(Self { store, master, bus, addresses: Arc::new(addresses), postmark })
    }

    /// Opens the store alone, as it is.
    pub async fn open_store(settings: &Settings) -> Result<Store, StartError> {
        let storage = &settings.storage;
        make_data_dir(&storage.data_dir)?;
        let options = Options { url: storage.database_url.clone(), data_dir: storage.data_dir.clone() };
        Ok(Store::open(&options).await?)
    }

    /// The admin services without a running gateway: for commands.
    pub fn admin(&self) -> Admin {
        self.admin_with(None)
    }

    /// The admin services of a running gateway, or of none.
    pub fn admin_with(&self, live: Option<Live>) -> Admin {
        Admin::new(Tools {
            store: self.store.clone(),
            bus: self.bus.clone(),
            master: self.master.clone(),
            addresses: Arc::clone(&self.addresses),
            messenger: Messenger::new(Arc::clone(&self.addresses), self.postmark.clone()),
            live,
        })
    }
}

/// Makes the directory, for its owner only.
fn make_data_dir(path: &PathBuf) -> Result<(), StartError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| StartError::DataDir { path: path.clone(), source })
}
