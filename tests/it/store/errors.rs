//! What a person is told when the database cannot be used: the thing, and the remedy.

use rondo::server::store::{DatabaseUrl, Options, Store, StoreError, Trouble};
use sqlx::{Connection, SqliteConnection};

use super::{
    place::Place,
    things::{provider, put_provider},
};

async fn refused(options: &Options) -> StoreError {
    match Store::open(options).await {
        Ok(store) => store.migrate().await.expect_err("must not work"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_alone() {
    let place = Place::sqlite();
    let content = "this is a letter, not a database ".repeat(100);
    std::fs::write(place.file(), &content).expect("written");
    let error = refused(&place.options()).await;
    assert!(matches!(error, StoreError::Unusable(Trouble::NotADatabase { .. })), "{error:?}");
    assert!(error.to_string().contains("rondo.db is not a database"), "{error}");
    assert_eq!(std::fs::read_to_string(place.file()).expect("still there"), content);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named_with_the_remedy() {
    // Nobody, not even root, can make a file here.
    let options = Options { url: DatabaseUrl::Sqlite(Some("/proc/rondo.db".into())), data_dir: "/tmp".into() };
    let error = refused(&options).await;
    assert!(error.is_unavailable(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("/proc/rondo.db") && text.contains("RONDO_DATA_DIR"), "{text}");
}

#[tokio::test]
async fn a_path_through_a_file_is_told() {
    let place = Place::sqlite();
    std::fs::write(place.data_dir().join("file"), "x").expect("written");
    let url = DatabaseUrl::Sqlite(Some(place.data_dir().join("file/rondo.db")));
    let error = refused(&Options { url, data_dir: place.data_dir().to_owned() }).await;
    assert!(matches!(error, StoreError::Unavailable(Trouble::CannotOpen { .. })), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_refuses_writes_only_and_recovers_by_itself() {
    let place = Place::sqlite();
    let store = place.open().await;
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", place.file().display())).await.expect("connects");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("locked");
    let error = store.change("ana", 1, vec![put_provider(&provider("alpha"))]).await.expect_err("locked");
    assert!(matches!(error, StoreError::Unavailable(Trouble::Locked { .. })), "{error:?}");
    assert_eq!(store.revision().await.expect("reading goes on"), 0);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("unlocked");
    store.change("ana", 1, vec![put_provider(&provider("alpha"))]).await.expect("works again");
    store.close().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    // A port that was free a moment ago.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let url = format!("postgres://ana:hunter2@127.0.0.1:{port}/rondo").parse().expect("an address");
    let error = refused(&Options { url, data_dir: "/tmp".into() }).await;
    assert!(matches!(error, StoreError::Unavailable(Trouble::Unreachable { .. })), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(text.contains(&format!("ana@127.0.0.1:{port}/rondo")) && !text.contains("hunter2"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_is_told_and_comes_back_by_itself() {
    let place = Place::postgres().await;
    let Some(server) = place.server() else { unreachable!("PostgreSQL has an address") };
    let door = Door::to(server.get_port()).await;
    let store = Store::open(&place.options_through(door.port)).await.expect("opens");
    store.migrate().await.expect("migrates");
    door.shut(true);
    let error = store.change("ana", 1, vec![put_provider(&provider("alpha"))]).await.expect_err("away");
    assert!(error.is_unavailable(), "{error:?}");
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    door.shut(false);
    store.change("ana", 1, vec![put_provider(&provider("alpha"))]).await.expect("back");
    assert_eq!(store.revision().await.expect("read"), 1, "what failed left nothing");
    store.close().await;
}

/// A way to a server that can be shut: connections through it break, and no new one comes through.
struct Door {
    port: u16,
    shut: tokio::sync::watch::Sender<bool>,
}

impl Door {
    async fn to(server: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shut = tokio::sync::watch::Sender::new(false);
        let watched = shut.clone();
        tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let mut shut = watched.subscribe();
                tokio::spawn(async move {
                    let Ok(mut outside) = tokio::net::TcpStream::connect(("127.0.0.1", server)).await else { return };
                    tokio::select! {
                        _ = shut.wait_for(|shut| *shut) => {}
                        _ = tokio::io::copy_bidirectional(&mut inside, &mut outside) => {}
                    }
                });
            }
        });
        Self { port, shut }
    }

    fn shut(&self, shut: bool) {
        self.shut.send_replace(shut);
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told() {
    let server =
        std::env::var("RONDO_TEST_POSTGRES").expect("RONDO_TEST_POSTGRES names a PostgreSQL; run scripts/test");
    let (address, _) = server.rsplit_once('/').expect("a database in the address");
    let url = format!("{address}/no_such_database").parse().expect("an address");
    let error = refused(&Options { url, data_dir: "/tmp".into() }).await;
    assert!(matches!(error, StoreError::Unusable(Trouble::Denied { .. })), "{error:?}");
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::sqlite();
    let store = place.open().await;
    store.change("ana", 1, vec![put_provider(&provider("alpha"))]).await.expect("stored");
    for entry in std::fs::read_dir(place.data_dir()).expect("readable") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
    store.close().await;
    let names: Vec<_> = std::fs::read_dir(place.data_dir())
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names.len(), 2, "closed, each database is one file: {names:?}");
}
