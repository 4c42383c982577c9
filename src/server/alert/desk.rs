//! The task that alerts: looks, asks the rules, writes down, tells.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{broadcast::error::RecvError, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    channel::OpenChannel,
    dispatch::Dispatch,
    messenger::Messenger,
    observe::{Capped, Views, capped},
    rules::{Evaluator, Orders, finding::Nodes},
};
use crate::{
    model::{
        alert::{Alert, RuleKind},
        id::AlertId,
    },
    server::{
        secret::seal::MasterKey,
        store::{Alerting, Store, StoreError},
    },
};

/// How often it looks by itself; a change of health makes it look at once.
const LOOK: Duration = Duration::from_secs(3);
/// Rest after a look: a storm of changes is looked at four times a second.
const REST: Duration = Duration::from_millis(250);
/// Alerts that wait to be written down while the store is away.
const UNSAVED: usize = 1_000;

/// How often the store is asked who is there, while a rule wants to know; less often than they say so.
const ASK_MS: i64 = 5_000;
/// How far back processes are asked for.
const NODES_MS: i64 = 3 * 86_400_000;

/// What the task works with.
pub struct Desk {
    /// Rules and channels; what was alerted.
    pub store: Store,
    /// What opens addresses and secrets.
    pub master: MasterKey,
    /// What is looked at.
    pub views: Views,
    /// What carries messages.
    pub messenger: Messenger,
    /// Follows the configuration in force.
    pub revision: watch::Receiver<i64>,
    /// Tells the screens that an alert opened or ended.
    pub announce: Box<dyn Fn() + Send + Sync>,
}

/// What it knows between two looks.
struct Memory {
    evaluator: Evaluator,
    dispatch: Dispatch,
    orders: Orders,
    capped: Vec<Capped>,
    /// Processes of the gateway, as far as a rule asks for them.
    nodes: Nodes,
    /// Alerts that could not be written down yet, the oldest first.
    unsaved: VecDeque<Alert>,
    /// Whether alerts that an earlier process left open were taken over.
    resumed: bool,
    failing: bool,
}

impl Desk {
    /// Runs until cancelled. Without the store it goes on with the rules it has.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut memory = Memory {
            evaluator: Evaluator::default(),
            dispatch: Dispatch::new(self.messenger.clone(), self.store.clone(), self.views.clock),
            orders: Orders::default(),
            capped: Vec::new(),
            nodes: Nodes::default(),
            unsaved: VecDeque::new(),
            resumed: false,
            failing: false,
        };
        let mut events = self.views.board.events();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stale = true;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.revision.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    stale = true;
                }
                event = events.recv() => if let Err(RecvError::Closed) = event { return },
                _ = look.tick() => {}
            }
            if stale || !memory.resumed {
                stale = !self.prepare(&mut memory).await;
            }
            if memory.resumed {
                self.look(&mut memory).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(REST) => {}
            }
        }
    }

    /// Reads what is configured, and at first what an earlier process left open. Whether it could.
    async fn prepare(&mut self, memory: &mut Memory) -> bool {
        match self.read(memory).await {
            Ok(()) => {
                memory.failing = false;
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut memory.failing, true) {
                    tracing::warn!(%error, "rules of alerts cannot be read; alerting goes on with those at hand");
                }
                false
            }
        }
    }

    async fn read(&mut self, memory: &mut Memory) -> Result<(), StoreError> {
        self.revision.mark_unchanged();
        let Alerting { channels, rules, silences, acknowledged } = self.store.alerting().await?;
        if !memory.resumed {
            self.store.end_retries().await?;
            memory.evaluator.resume(self.store.open_alerts().await?);
            memory.resumed = true;
        }
        let mut open = HashMap::new();
        for stored in channels.iter().filter(|stored| stored.channel.settings.enabled) {
            match OpenChannel::open(stored, &self.master) {
                Ok(channel) => _ = open.insert(stored.channel.id, Arc::new(channel)),
                Err(error) => {
                    let channel = &stored.channel.settings.name;
                    tracing::warn!(channel, %error, "a channel of alerts cannot be used");
                }
            }
        }
        memory.orders = Orders {
            rules,
            silences,
            channels: open.keys().copied().collect(),
            acknowledged: acknowledged.into_keys().collect::<HashSet<_>>(),
        };
        memory.dispatch.adopt(open);
        memory.capped = capped(&self.views.routing.load());
        Ok(())
    }

    async fn look(&self, memory: &mut Memory) {
        self.ask_nodes(memory).await;
        let mut seen = self.views.look(&memory.orders.rules, &memory.capped);
        seen.nodes = memory.nodes.clone();
        let new_id = || AlertId(Uuid::now_v7());
        let step = memory.evaluator.step(self.views.now_ms(), &memory.orders, &seen, new_id);
        for alert in &step.changed {
            let (alert_title, resolved) = (&alert.title.en, alert.resolved_at_ms.is_some());
            tracing::info!(rule = alert.rule_name, alert = alert_title, resolved, "alert");
        }
        let waiting = !memory.unsaved.is_empty();
        memory.unsaved.extend(step.changed);
        self.save(&mut memory.unsaved).await;
        let caught_up = waiting && memory.unsaved.is_empty();
        for telling in step.tellings {
            for channel in telling.channels {
                memory.dispatch.send(channel, telling.alert.clone()).await;
            }
        }
        if step.moved || caught_up {
            (self.announce)();
        }
    }

    /// Asks the store who is there. One that does not answer leaves them as they were then.
    async fn ask_nodes(&self, memory: &mut Memory) {
        let at_ms = self.views.now_ms();
        let wanted =
            memory.orders.rules.iter().any(|rule| rule.settings.enabled && rule.settings.kind == RuleKind::NodeLost);
        if !wanted || (at_ms - memory.nodes.at_ms).abs() < ASK_MS {
            return;
        }
        match self.store.presences(at_ms - NODES_MS).await {
            Ok(all) => memory.nodes = Nodes { at_ms, own: self.views.recorder.node(), all },
            Err(error) => tracing::debug!(%error, "which nodes are there is not known now"),
        }
    }

    /// Writes down what can be; the rest waits for the next look.
    async fn save(&self, unsaved: &mut VecDeque<Alert>) {
        while let Some(alert) = unsaved.front() {
            if let Err(error) = self.store.put_alert(alert).await {
                tracing::warn!(%error, waiting = unsaved.len(), "an alert is not written down yet");
                let excess = unsaved.len().saturating_sub(UNSAVED);
                unsaved.drain(..excess);
                return;
            }
            unsaved.pop_front();
        }
    }
}
