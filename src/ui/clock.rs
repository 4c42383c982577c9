//! One clock for a page: the server's time and the browser's zone.
//!
//! Ages and waits count from the server's clock, corrected by every live message, so a browser
//! with a wrong clock still shows true ones. The first render uses the moment and the zone the
//! server rendered with, so that hydration finds the same text; then the browser takes over.

use leptos::prelude::*;

use super::preferences::{Preferences, ZONE_COOKIE, remember};

/// The time zone that times are shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// A fixed offset from UTC, minutes east: what the server knows.
    Offset(i32),
    /// The browser's own, which knows about summer time.
    Browser,
}

impl Zone {
    /// Minutes east of UTC at a moment.
    pub fn minutes_at(self, at_ms: i64) -> i32 {
        match self {
            Self::Offset(minutes) => minutes,
            Self::Browser => {
                -js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at_ms as f64)).get_timezone_offset() as i32
            }
        }
    }
}

/// The clock of the page; all signals, cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    now_ms: RwSignal<i64>,
    zone: RwSignal<Zone>,
    /// Server time minus browser time, milliseconds.
    skew_ms: RwSignal<i64>,
}

impl Clock {
    /// Starts the clock of this page and provides it to everything below.
    pub fn provide(preferences: Preferences) -> Self {
        let clock = Self {
            now_ms: RwSignal::new(preferences.now_ms),
            zone: RwSignal::new(Zone::Offset(preferences.zone_minutes)),
            skew_ms: RwSignal::new(0),
        };
        provide_context(clock);
        Effect::new(move || {
            clock.skew_ms.set(preferences.now_ms - browser_now_ms());
            clock.zone.set(Zone::Browser);
            remember(ZONE_COOKIE, &Zone::Browser.minutes_at(preferences.now_ms).to_string());
            let tick = move || clock.now_ms.set(browser_now_ms() + clock.skew_ms.get_untracked());
            if let Ok(ticking) = set_interval_with_handle(tick, std::time::Duration::from_secs(1)) {
                on_cleanup(move || ticking.clear());
            }
        });
        clock
    }

    /// The clock of this page.
    pub fn here() -> Self {
        use_context().expect("App provides the clock")
    }

    /// Now, unix milliseconds by the server's clock; changes every second.
    pub fn now_ms(self) -> i64 {
        self.now_ms.get()
    }

    /// Now, without following it.
    pub fn now_untracked_ms(self) -> i64 {
        self.now_ms.get_untracked()
    }

    /// The zone to show times in; changes once, after hydration.
    pub fn zone(self) -> Zone {
        self.zone.get()
    }

    /// The zone, without following it.
    pub fn zone_untracked(self) -> Zone {
        self.zone.get_untracked()
    }

    /// Learns the server's time from a live message.
    pub fn correct(self, server_ms: i64) {
        self.skew_ms.set(server_ms - browser_now_ms());
    }
}

fn browser_now_ms() -> i64 {
    js_sys::Date::now() as i64
}
