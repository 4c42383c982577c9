//! Groups: the list, a new one, and one of them with its members and rules.

pub mod detail;
pub mod explain;
pub mod list;
pub mod members;
pub mod new;
pub mod outcome_rules;
pub mod rules;
pub mod shares;

pub use detail::GroupDetail;
pub use list::GroupList;
pub use new::GroupNew;

use crate::{
    model::group::{PathPolicy, Strategy},
    ui::i18n::t,
};

/// Word, title and meaning of each strategy.
pub(crate) fn strategies() -> [(Strategy, &'static str, &'static str); 6] {
    [
        (Strategy::Weighted, t!(group::weighted), t!(group::weighted_hint)),
        (Strategy::RoundRobin, t!(group::round_robin), t!(group::round_robin_hint)),
        (Strategy::LeastInFlight, t!(group::least_in_flight), t!(group::least_in_flight_hint)),
        (Strategy::LowestLatency, t!(group::lowest_latency), t!(group::lowest_latency_hint)),
        (Strategy::Sticky, t!(group::sticky), t!(group::sticky_hint)),
        (Strategy::Priority, t!(group::priority_order), t!(group::priority_order_hint)),
    ]
}

/// The title of a strategy.
pub(crate) fn strategy_name(strategy: Strategy) -> &'static str {
    strategies().into_iter().find(|(this, ..)| *this == strategy).map_or("", |(_, title, _)| title)
}

/// The title of a path policy.
pub(crate) fn policy_name(policy: &PathPolicy) -> &'static str {
    match policy {
        PathPolicy::Inference => t!(group::inference),
        PathPolicy::ReadOnly => t!(group::read_only),
        PathPolicy::Everything => t!(group::everything),
        PathPolicy::Rules(_) => t!(group::rules),
    }
}
