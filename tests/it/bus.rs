//! The bus between processes, on a real Redis (`RONDO_TEST_REDIS`; `scripts/services` starts one).

use std::time::Duration;

use rondo::server::bus::{Bus, Change};
use tokio::{task::JoinHandle, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// A node: a bus with its connection. Its end is the end of the process.
struct Node {
    bus: Bus,
    running: JoinHandle<()>,
}

impl Node {
    async fn start(address: &str) -> Self {
        let bus = Bus::redis(address).expect("an address");
        let runner = bus.clone();
        let node = Self { bus, running: tokio::spawn(async move { runner.run().await }) };
        node.connected(true).await;
        node
    }

    async fn connected(&self, wanted: bool) {
        let look = async {
            while self.bus.status().connected != wanted {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, look).await.expect("the connection changes in time");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn redis() -> String {
    std::env::var("RONDO_TEST_REDIS").expect(
        "RONDO_TEST_REDIS names no Redis to test on; run the tests with scripts/test, or one with scripts/services",
    )
}

/// An address whose channel no other test hears.
fn private() -> String {
    format!("{}?prefix={}", redis(), uuid::Uuid::now_v7().simple())
}

#[tokio::test]
async fn a_change_reaches_every_node_once() {
    let address = private();
    let (one, two, three) = (Node::start(&address).await, Node::start(&address).await, Node::start(&address).await);
    let mut heard = [one.bus.subscribe(), two.bus.subscribe(), three.bus.subscribe()];
    one.bus.publish(Change { revision: 7 });
    for receiver in &mut heard {
        let change = timeout(PATIENCE, receiver.recv()).await.expect("in time").expect("open");
        assert_eq!(change.revision, 7);
    }
    two.bus.publish(Change { revision: 8 });
    for receiver in &mut heard {
        // Node one and three would hear 7 again here if an echo came back.
        let change = timeout(PATIENCE, receiver.recv()).await.expect("in time").expect("open");
        assert_eq!(change.revision, 8);
    }
    assert_eq!(one.bus.status().received, 1);
}

#[tokio::test]
async fn a_cut_connection_comes_back_and_the_newest_change_with_it() {
    let (server, address) = OwnRedis::start();
    let (one, two) = (Node::start(&address).await, Node::start(&address).await);
    let mut heard = two.bus.subscribe();
    let port = server.port;
    drop(server);
    two.connected(false).await;
    one.connected(false).await;
    // Publishing goes on: at once and without an error.
    one.bus.publish(Change { revision: 1 });
    one.bus.publish(Change { revision: 2 });
    let _server = OwnRedis::on(port);
    let change = timeout(PATIENCE, heard.recv()).await.expect("in time").expect("open");
    assert_eq!(change.revision, 2);
}

#[tokio::test]
async fn without_redis_the_bus_still_serves_its_own_process() {
    let port = free_port();
    let bus = Bus::redis(&format!("redis://127.0.0.1:{port}")).expect("an address");
    let runner = bus.clone();
    let running = tokio::spawn(async move { runner.run().await });
    let mut heard = bus.subscribe();
    bus.publish(Change { revision: 1 });
    assert_eq!(heard.try_recv().map(|change| change.revision), Ok(1));
    assert!(!bus.status().connected && bus.status().shared);
    running.abort();
}

/// A Redis of the test's own, to be killed.
struct OwnRedis {
    process: std::process::Child,
    port: u16,
}

impl OwnRedis {
    fn start() -> (Self, String) {
        let port = free_port();
        (Self::on(port), format!("redis://127.0.0.1:{port}"))
    }

    fn on(port: u16) -> Self {
        let process = std::process::Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("redis-server is installed (scripts/setup-test)");
        Self { process, port }
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
