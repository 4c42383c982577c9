//! What was packed is what is read, and what was torn is noticed.

use proptest::prelude::*;

use super::*;
use crate::model::{
    request_log::{AttemptOutcome, SkipReason},
    usage::Usage,
};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn request(number: u128, path: &str, status: u16) -> RequestDetail {
    let row = RequestRow {
        id: RequestId(id(number)),
        at_ms: 1_700_000_000_000 - number as i64,
        group: Some(GroupId(id(1))),
        group_slug: "prod".into(),
        api_key: None,
        api_key_name: String::new(),
        method: "POST".into(),
        path: path.into(),
        model: (status != 404).then(|| "gpt-4.1".into()),
        status,
        outcome: if status == 200 { Outcome::Served } else { Outcome::Failed },
        provider: Some(ProviderId(id(7))),
        provider_name: "alpha".into(),
        attempts: 1,
        first_byte_us: Some(u64::MAX - 1),
        total_us: u64::MAX,
        request_bytes: 0,
        response_bytes: 1 << 40,
        error_code: None,
        client_ip: "::1".into(),
        streamed: status == 200,
        usage: Some(Usage { input: Some(0), output: None, cached: Some(9), reasoning: None, estimated: status == 200 }),
        cost_nanos: (status == 200).then_some(-5),
    };
    RequestDetail { row, user_agent: "curl".into(), attempts: vec![attempt(path)], bodies: None }
}

fn attempt(detail: &str) -> Attempt {
    Attempt {
        provider: ProviderId(id(7)),
        provider_name: "alpha".into(),
        credential: Some(CredentialId(id(8))),
        outcome: AttemptOutcome::FirstByteTimeout,
        status: Some(504),
        started_us: 3,
        first_byte_us: None,
        first_output_us: Some(4),
        ended_us: 5,
        choice: Some(Choice {
            tier: 2,
            weight: 50,
            factor_percent: 100,
            credit: Some(i32::MIN),
            in_flight: 3,
            trial: true,
            out_of: None,
        }),
        chosen: "sticky".into(),
        detail: detail.into(),
        drill: Some(DrillId(id(9))),
        skipped: vec![Skipped { provider: "beta".into(), reason: SkipReason::TierNotNeeded, wait_ms: Some(0) }],
    }
}

fn unpack(body: &[u8]) -> Result<Vec<RequestDetail>, Torn> {
    let mut block = Block::read(body)?;
    let mut details = Vec::new();
    while let Some(row) = block.next()? {
        details.push(block.detail(&row)?);
    }
    Ok(details)
}

fn packed(details: &[RequestDetail]) -> Packed {
    pack(&details.iter().collect::<Vec<_>>())
}

#[test]
fn a_block_says_what_was_packed() {
    let details: Vec<_> =
        (0..300).map(|n| request(n, &format!("/v1/{}", n % 7), if n % 3 == 0 { 200 } else { 404 })).collect();
    let block = packed(&details);
    assert_eq!(unpack(&block.body).expect("whole"), details);
    assert_eq!((block.first_id, block.last_id, block.rows), (details[0].row.id, details[299].row.id, 300));
    assert!(block.body.len() < 300 * 120, "{} bytes for 300 rows", block.body.len());
}

#[test]
fn a_row_without_anything_is_kept_too() {
    let mut bare = request(0, "", 0);
    (bare.row.group, bare.row.provider, bare.row.model, bare.row.usage, bare.row.cost_nanos) = Default::default();
    (bare.row.first_byte_us, bare.row.error_code, bare.attempts) = (None, None, vec![]);
    bare.row.at_ms = i64::MIN;
    assert_eq!(unpack(&packed(std::slice::from_ref(&bare)).body).expect("whole"), [bare]);
}

#[test]
fn marks_count_the_rows_that_have_a_value() {
    let details: Vec<_> = (0..10).map(|n| request(n, "/", if n < 3 { 200 } else { 404 })).collect();
    let marks = packed(&details).marks;
    let of = |kind, value: &[u8]| marks.iter().find(|(known, _)| *known == mark(kind, value)).map(|(_, rows)| *rows);
    assert_eq!(of(Kind::Group, id(1).as_bytes()), Some(10));
    assert_eq!(of(Kind::Provider, id(7).as_bytes()), Some(10));
    assert_eq!(of(Kind::Status, &200_u16.to_be_bytes()), Some(3));
    assert_eq!(of(Kind::Outcome, b"failed"), Some(7));
    assert_eq!(of(Kind::Model, b"gpt-4.1"), Some(3));
    assert_eq!(of(Kind::ApiKey, id(1).as_bytes()), None);
    assert_eq!(marks.len(), 7, "group, provider, model, two statuses, two outcomes");
}

#[test]
fn every_word_of_every_enum_survives() {
    let skips = [
        SkipReason::Disabled,
        SkipReason::Drained,
        SkipReason::Unhealthy,
        SkipReason::TrialInFlight,
        SkipReason::Cooling,
        SkipReason::NoCredential,
        SkipReason::Full,
        SkipReason::Model,
        SkipReason::TierNotNeeded,
        SkipReason::Tried,
    ];
    for (number, outcome) in (0..).zip(Outcome::ALL) {
        let mut one = request(number, "/", 200);
        one.row.outcome = outcome;
        one.attempts[0].skipped =
            skips.map(|reason| Skipped { provider: "beta".into(), reason, wait_ms: None }).to_vec();
        assert_eq!(unpack(&packed(std::slice::from_ref(&one)).body).expect("whole"), [one]);
    }
}

#[test]
fn a_byte_that_changed_is_noticed() {
    let body = packed(&[request(1, "/a", 200), request(2, "/b", 404)]).body;
    for at in 0..body.len() {
        let mut torn = body.clone();
        torn[at] ^= 0x10;
        assert!(unpack(&torn).is_err(), "byte {at}");
        assert!(unpack(&body[..at]).is_err(), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_an_error_at_worst(mut bytes in prop::collection::vec(any::<u8>(), 5..200)) {
        bytes[0] = VERSION;
        let sum = crc32fast::hash(&bytes[HEAD..]).to_le_bytes();
        bytes[1..HEAD].copy_from_slice(&sum);
        let _ = unpack(&bytes);
    }

    #[test]
    fn a_number_of_either_sign_comes_back(number: i64) {
        prop_assert_eq!(unzigzag(zigzag(number)), number);
    }
}
