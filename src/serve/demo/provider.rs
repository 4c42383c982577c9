//! The two played providers: what each does with a request at every second of the show.

use std::{ops::Range, sync::Arc, time::Instant};

use rand::RngExt;
use serde_json::json;

use crate::serve::chaos::{Content, Director, Script, Words};

/// Who is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Slow and always there.
    Adagio,
    /// Fast, and in trouble twice a minute.
    Presto,
}

/// What a provider does with a request at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Playing,
    /// Every request ends in 500.
    Broken,
    /// 429 with the seconds until it is over.
    Spent(u64),
}

impl Part {
    /// Plays it from now on.
    pub(super) fn director(self) -> Arc<Director> {
        let began = Instant::now();
        Arc::new(move |_| self.script(self.mood(began.elapsed().as_secs())))
    }

    /// The mood at this second of the show; the score repeats every minute.
    fn mood(self, second: u64) -> Mood {
        match (self, second % 60) {
            (Self::Presto, 10..26) => Mood::Broken,
            (Self::Presto, now @ 46..54) => Mood::Spent(54 - now),
            _ => Mood::Playing,
        }
    }

    fn script(self, mood: Mood) -> Script {
        match mood {
            Mood::Playing => self.answer(),
            Mood::Broken => Script::status(500, &refusal("a string broke")),
            Mood::Spent(seconds) => {
                Script::status(429, &refusal("out of breath")).with_header("retry-after", &seconds.to_string())
            }
        }
    }

    /// An answer of four to sixteen words, in the part's tempo.
    fn answer(self) -> Script {
        let (first, between) = self.tempo();
        let mut rng = rand::rng();
        let words =
            Words { count: rng.random_range(4..17), interval_ms: rng.random_range(between), ..Words::default() };
        Script { delay_ms: rng.random_range(first), body: Content::Api(words), ..Script::default() }
    }

    /// Time until the first word, and between words, in milliseconds.
    fn tempo(self) -> (Range<u64>, Range<u64>) {
        match self {
            Self::Adagio => (180..520, 35..80),
            Self::Presto => (60..160, 10..30),
        }
    }
}

fn refusal(message: &str) -> String {
    json!({ "error": { "type": "demo", "message": message } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presto_breaks_and_recovers_within_a_minute_and_adagio_never_does() {
        assert_eq!(Part::Presto.mood(0), Mood::Playing);
        assert_eq!(Part::Presto.mood(12), Mood::Broken);
        assert_eq!(Part::Presto.mood(30), Mood::Playing);
        assert_eq!(Part::Presto.mood(107), Mood::Spent(7));
        assert!((0..120).all(|second| Part::Adagio.mood(second) == Mood::Playing));
    }

    #[test]
    fn a_mood_is_a_script() {
        assert_eq!(Part::Presto.script(Mood::Broken).status, 500);
        let spent = Part::Presto.script(Mood::Spent(7));
        assert_eq!((spent.status, spent.headers[0].1.as_str()), (429, "7"));
        let Content::Api(words) = Part::Adagio.script(Mood::Playing).body else { panic!("an answer of the API") };
        assert!((4..17).contains(&words.count));
    }
}
