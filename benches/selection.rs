//! Time of one draw among 3, 50, 100, 1,000 and 10,000 providers: `cargo bench --bench selection`.
//!
//! What a request pays for selection, all in: looks, reasons, the draw, leave, and giving it back.
//! Compare within one run: three providers are the base, and a thousand must cost a request no more
//! than a tenth above it.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{hint::black_box, sync::Arc, time::Instant};

use rondo::{
    model::{
        group::{FailoverRules, Group, GroupKind, Member, PathPolicy, Sticky, Strategy},
        id::{CredentialId, GroupId, ProviderId},
        name::{BaseUrl, Slug},
        provider::{AuthStyle, Connection, Credential, HeaderRules, ModelRules, Provider, Timeouts, TlsOptions},
        rate_limit::UpstreamLimits,
    },
    server::{
        health::board::Board,
        limit::local::Limiter,
        proxy::select::Draw,
        routing::{compile::Compiler, table},
        secret::seal::{MasterKey, credential_aad},
        store::{Snapshot, StoredProvider},
        upstream::guard::AddressPolicy,
    },
};
use uuid::Uuid;

const DRAWS: u32 = 100_000;
const SIZES: [usize; 5] = [3, 50, 100, 1_000, 10_000];

fn main() {
    println!("{}{}   ns a draw", " ".repeat(28), SIZES.map(|size| format!("{size:>10}")).concat());
    for strategy in Strategy::ALL {
        for walked in [false, true] {
            print!("{:<16}{:<12}", format!("{strategy:?}"), if walked { "walked over" } else { "" });
            for size in SIZES {
                let mut group = group(strategy, size);
                if walked {
                    // What a draw among so many would cost without proposals.
                    group.layout = None;
                }
                print!("{:>10}", nanoseconds(&group));
            }
            println!();
        }
    }
}

fn nanoseconds(group: &table::Group) -> u128 {
    let limiter = Limiter::new();
    let draw = |number: u32| {
        let hash = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut draw = Draw::open(group, &limiter, Some("gpt-4"), hash, true);
        assert!(black_box(draw.next(1_000, 1_000_000_000).is_ok()));
    };
    let draws = if group.layout.is_none() { DRAWS / (group.members.len() as u32 / 10).max(1) } else { DRAWS };
    (0..draws / 10).for_each(draw);
    let started = Instant::now();
    (0..draws).for_each(draw);
    started.elapsed().as_nanos() / u128::from(draws)
}

fn group(strategy: Strategy, count: usize) -> table::Group {
    let key = MasterKey::from_bytes([7; 32]);
    let providers: Vec<_> = (0..count).map(|number| provider(number, &key)).collect();
    let member = |stored: &StoredProvider| Member { provider: stored.provider.id, priority: 100, tier: 1 };
    let group = Group {
        id: GroupId(Uuid::now_v7()),
        name: "Production".into(),
        slug: Slug::parse("prod").expect("a slug"),
        description: String::new(),
        kind: GroupKind::Llm,
        strategy,
        enabled: true,
        path_policy: PathPolicy::Everything,
        failover: FailoverRules::default(),
        anonymous: Default::default(),
        allowed_origins: Vec::new(),
        hide_provider_headers: false,
        sticky: Sticky::default(),
        outcome_rules: Vec::new(),
        websocket: false,
        stream_usage: true,
        log_bodies: false,
        members: providers.iter().map(member).collect(),
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    };
    let snapshot = Snapshot {
        revision: 1,
        providers,
        groups: vec![group],
        api_keys: Vec::new(),
        prices: rondo::model::price::PriceTable::default(),
    };
    let (table, _) = Compiler::new(key, Board::new(0), AddressPolicy::default()).compile(snapshot, 0);
    let group = table.group("prod").expect("the group").clone();
    drop(table);
    Arc::into_inner(group).expect("nobody else holds it")
}

fn provider(number: usize, key: &MasterKey) -> StoredProvider {
    let credential = Credential {
        id: CredentialId(Uuid::now_v7()),
        label: "main".into(),
        hint: String::new(),
        weight: 100,
        enabled: true,
        limits: UpstreamLimits::default(),
    };
    let sealed = vec![(credential.id, key.seal("sk-secret", &credential_aad(credential.id, "127.0.0.1")))];
    let provider = Provider {
        id: ProviderId(Uuid::now_v7()),
        name: format!("p{number}"),
        website: String::new(),
        base_url: BaseUrl::parse("http://127.0.0.1:9").expect("an address"),
        auth: AuthStyle::Bearer,
        enabled: true,
        headers: HeaderRules::default(),
        models: ModelRules::default(),
        timeouts: Timeouts::default(),
        limits: UpstreamLimits::default(),
        tls: TlsOptions::default(),
        connection: Connection::default(),
        color: 1,
        credentials: vec![credential],
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    };
    StoredProvider { provider, sealed }
}
