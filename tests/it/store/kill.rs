//! What a kill leaves behind: the test starts itself as a second process and kills that in mid-write.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use rondo::server::store::{Options, Store};

use super::{
    place::Place,
    things::{group, provider, put_group, put_provider},
};

const ROUNDS: u32 = 12;
const VICTIM: &str = "RONDO_TEST_VICTIM_OF";

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    if let Ok(directory) = std::env::var(VICTIM) {
        return write_until_killed(Path::new(&directory)).await;
    }
    let place = Place::sqlite();
    place.open().await.close().await;
    for round in 0..ROUNDS {
        let acknowledged = kill_after(&place, 1 + round * 3);
        let store = place.open().await;
        let snapshot = store.snapshot().await.expect("read");
        assert!(
            snapshot.revision >= acknowledged,
            "round {round}: {acknowledged} was acknowledged, {} is there",
            snapshot.revision
        );
        // A change is two records: never one of them alone.
        assert_eq!(snapshot.providers.len(), snapshot.groups.len());
        assert_eq!(snapshot.revision, i64::try_from(snapshot.groups.len()).expect("few"));
        assert_eq!(store.verify_audit().await.expect("read"), None);
        assert_eq!(store.find_damage().await.expect("read"), Vec::<String>::new());
        store.close().await;
    }
}

/// Lets the victim acknowledge so many changes, kills it with SIGKILL, and returns the last it acknowledged.
fn kill_after(place: &Place, changes: u32) -> i64 {
    let mut victim: Child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "store::kill::a_killed_process_loses_nothing_it_acknowledged", "--nocapture"])
        .env(VICTIM, place.data_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut told = BufReader::new(victim.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let revision = |line: String| line.strip_prefix("revision ").and_then(|number| number.parse().ok());
    let mut last = told.by_ref().filter_map(revision).nth(changes as usize - 1).expect("the victim writes");
    victim.kill().expect("killed");
    victim.wait().expect("dead");
    // What it said before it died counts too.
    for line in told {
        last = revision(line).unwrap_or(last);
    }
    last
}

async fn write_until_killed(directory: &Path) {
    let options = Options { url: "sqlite:".parse().expect("an address"), data_dir: directory.to_owned() };
    let store = Store::open(&options).await.expect("opens");
    loop {
        let id = uuid::Uuid::now_v7().simple().to_string();
        let revision = store
            .change("ana", 1, vec![put_provider(&provider(&id)), put_group(&group(&id, &[]))])
            .await
            .expect("stored");
        let mut out = std::io::stdout().lock();
        writeln!(out, "revision {revision}").and_then(|()| out.flush()).expect("the parent listens");
    }
}
