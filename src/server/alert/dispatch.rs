//! A worker for each channel: its messages go out in order, one at a time, tried again with growing
//! pauses up to a bound. Channels never wait for each other, and nobody waits for a channel.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    channel::{Message, OpenChannel},
    messenger::{Again, Messenger, delivery, note},
    throttle::Throttle,
};
use crate::{
    model::{
        alert::{Alert, Delivery, DeliveryState},
        id::ChannelId,
    },
    server::{health::clock::Clock, store::Store},
};

/// Pauses between the tries of a message; after the last it has failed.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25), Duration::from_secs(120)];
/// Messages that may wait for one channel.
const QUEUE: usize = 256;

/// What workers share.
#[derive(Clone)]
pub(super) struct Office {
    pub(super) messenger: Messenger,
    pub(super) store: Store,
    pub(super) clock: Clock,
    /// Channels as they are now: a try always goes to the address that is configured. Held for a lookup,
    /// never across an await.
    channels: Arc<RwLock<HashMap<ChannelId, Arc<OpenChannel>>>>,
}

/// Hands messages to workers.
pub(super) struct Dispatch {
    office: Office,
    queues: HashMap<ChannelId, mpsc::Sender<Alert>>,
    workers: JoinSet<()>,
}

impl Dispatch {
    /// No worker yet; each begins with its first message. All end when this is dropped.
    pub(super) fn new(messenger: Messenger, store: Store, clock: Clock) -> Self {
        let office = Office { messenger, store, clock, channels: Arc::default() };
        Self { office, queues: HashMap::new(), workers: JoinSet::new() }
    }

    /// Channels changed. Those that are gone lose their worker and what waits for it.
    pub(super) fn adopt(&mut self, channels: HashMap<ChannelId, Arc<OpenChannel>>) {
        self.queues.retain(|id, _| channels.contains_key(id));
        *self.office.channels.write().unwrap_or_else(PoisonError::into_inner) = channels;
        while self.workers.try_join_next().is_some() {}
    }

    /// Hands an alert to a channel. A queue that is full has been failing for a long time: what comes then
    /// is given up and said so.
    pub(super) async fn send(&mut self, to: ChannelId, alert: Alert) {
        let office = self.office.clone();
        let workers = &mut self.workers;
        let queue = self.queues.entry(to).or_insert_with(|| {
            let (sender, waiting) = mpsc::channel(QUEUE);
            workers.spawn(work(office, to, waiting));
            sender
        });
        if let Err(refused) = queue.try_send(alert) {
            self.office.give_up(to, &refused.into_inner(), "too many messages wait for this channel").await;
        }
    }
}

impl Office {
    fn channel(&self, id: ChannelId) -> Option<Arc<OpenChannel>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn now_ms(&self) -> i64 {
        self.clock.unix_ms(self.clock.now_ms())
    }

    async fn write_down(&self, delivery: &Delivery) {
        if let Err(error) = self.store.put_delivery(delivery).await {
            tracing::warn!(%error, channel = delivery.channel_name, "how a message of alerts fared was not written down");
        }
    }

    async fn give_up(&self, to: ChannelId, alert: &Alert, reason: &str) {
        self.record(to, alert, DeliveryState::Failed, reason).await;
    }

    /// Writes down a message that is not tried.
    async fn record(&self, to: ChannelId, alert: &Alert, state: DeliveryState, reason: &str) {
        let Some(channel) = self.channel(to) else { return };
        let message = self.messenger.message(&channel, alert);
        let untried = delivery(&channel, &message, self.now_ms());
        self.write_down(&Delivery { state, detail: reason.to_owned(), ..untried }).await;
    }

    /// Tries until it is taken or given up. A channel that was switched off or removed meanwhile ends it.
    async fn deliver(&self, to: ChannelId, message: &Message) {
        let Some(channel) = self.channel(to) else { return };
        let mut record = delivery(&channel, message, self.now_ms());
        for attempt in 0..=PAUSES.len() {
            let Some(channel) = self.channel(to) else {
                let detail = "the channel was switched off or removed".to_owned();
                return self.write_down(&Delivery { state: DeliveryState::Failed, detail, ..record }).await;
            };
            let sent = self.messenger.send(&channel, message, self.now_ms()).await;
            let pause = PAUSES.get(attempt);
            let again = if pause.is_some() { Again::IfRetryable } else { Again::No };
            note(&mut record, self.now_ms(), &sent, again);
            self.write_down(&record).await;
            match (&sent, pause) {
                (Err(fault), Some(pause)) if fault.retryable => {
                    tracing::debug!(channel = record.channel_name, %fault, "an alert is sent again");
                    sleep(*pause).await;
                }
                (Err(fault), _) => {
                    return tracing::warn!(channel = record.channel_name, %fault, "an alert could not be sent");
                }
                (Ok(_), _) => return,
            }
        }
    }
}

async fn work(office: Office, to: ChannelId, mut waiting: mpsc::Receiver<Alert>) {
    let mut throttle = Throttle::default();
    loop {
        let now_ms = office.now_ms();
        let per_hour = office.channel(to).map_or(1, |channel| channel.channel.settings.per_hour);
        if let Some((count, first)) = throttle.release(now_ms, per_hour) {
            if let Some(channel) = office.channel(to) {
                let summary = office.messenger.summary(&channel, count, first);
                office.deliver(to, &summary).await;
            }
            continue;
        }
        let due = throttle.due_ms().map(|due_ms| u64::try_from(due_ms - now_ms).unwrap_or(0).clamp(1_000, 60_000));
        let summary_due = Instant::now() + Duration::from_millis(due.unwrap_or(0));
        let alert = tokio::select! {
            alert = waiting.recv() => match alert {
                Some(alert) => alert,
                None => return,
            },
            // At least once a minute: the cap may have been raised.
            () = sleep_until(summary_due), if due.is_some() => continue,
        };
        match throttle.admit(office.now_ms(), per_hour, alert.clone()) {
            Some(alert) => {
                let Some(channel) = office.channel(to) else { continue };
                let message = office.messenger.message(&channel, &alert);
                office.deliver(to, &message).await;
            }
            None => office.record(to, &alert, DeliveryState::Held, "").await,
        }
    }
}
