//! The price table: what tokens of a model cost, to estimate what requests cost.
//!
//! It is written as a table of lines, `model, input, output[, cached input]`: what a spreadsheet exports and a
//! person can read. A model is a name or a glob; a name is preferred to any glob, a longer glob to a shorter.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::problem::{Issue, Problem, Validate, note, path};

/// Most entries of a table.
pub const PRICES_MAX: usize = 1_000;
/// Highest price of a million tokens: far beyond any real one, near enough to find a slipped comma.
pub const PRICE_MAX: i64 = 100_000;
const MICROS: i64 = 1_000_000;

/// A price of a million tokens, in millionths of the currency's unit; written as a decimal number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub i64);

impl Rate {
    fn of(number: f64) -> Option<Self> {
        // Beyond the range it saturates, and is refused for that.
        number.is_finite().then(|| Self((number * MICROS as f64).round() as i64))
    }

    fn check(self) -> Result<(), Issue> {
        if (0..=PRICE_MAX * MICROS).contains(&self.0) { Ok(()) } else { Err(Issue::InvalidPrice) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as f64 / MICROS as f64)
    }
}

impl FromStr for Rate {
    type Err = Issue;

    fn from_str(text: &str) -> Result<Self, Issue> {
        let number: f64 = text.trim().parse().map_err(|_| Issue::InvalidPrice)?;
        let rate = Self::of(number).ok_or(Issue::InvalidPrice)?;
        rate.check().map(|()| rate)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.0 as f64 / MICROS as f64)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?;
        Self::of(number).ok_or_else(|| serde::de::Error::custom("a price is a number from 0 to 100000"))
    }
}

/// What a million tokens of a model cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Name or glob of the model that clients ask for.
    pub model: String,
    /// Of input.
    pub input: Rate,
    /// Of output.
    #[serde(default)]
    pub output: Rate,
    /// Of input that the provider read from its cache; without one, `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Rate>,
}

impl Price {
    /// Whether it is for one model alone.
    pub fn is_exact(&self) -> bool {
        !self.model.contains(['*', '?', '[', '{'])
    }
}

/// The table as the editor, a file or a program writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceDraft {
    /// Currency of every price, three letters (ISO 4217).
    pub currency: String,
    /// Prices by model.
    pub models: Vec<Price>,
}

impl Default for PriceDraft {
    fn default() -> Self {
        Self { currency: "USD".to_owned(), models: Vec::new() }
    }
}

/// The table as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTable {
    /// Currency of every price.
    pub currency: String,
    /// Prices by model.
    pub models: Vec<Price>,
    /// Revision of the configuration that last changed it; 0 = never.
    pub revision: i64,
    /// Changed at, unix milliseconds.
    pub updated_at_ms: i64,
}

/// The table as its editor shows it: lines of text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceSheet {
    /// Currency of every price.
    pub currency: String,
    /// `model, input, output[, cached input]` each.
    pub lines: String,
    /// Revision it was read at.
    pub revision: i64,
}

impl PriceDraft {
    /// Reads lines; blank ones and those that begin with `#` or are a heading say nothing. Problems are told
    /// of `lines`, with the number of the line.
    pub fn from_lines(currency: &str, lines: &str) -> Result<Self, Vec<Problem>> {
        let mut draft = Self { currency: currency.trim().to_uppercase(), models: Vec::new() };
        let (mut problems, mut places) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || (draft.models.is_empty() && is_heading(line)) {
                continue;
            }
            match read_line(line) {
                Ok(price) => {
                    draft.models.push(price);
                    places.push(number);
                }
                Err(issue) => problems.push(Problem::new(format!("lines[{number}]"), issue)),
            }
        }
        // What is wrong with the table is told of the line it comes from.
        for problem in draft.validate().err().unwrap_or_default() {
            let index = problem.field.strip_prefix("models[").and_then(|rest| rest.split(']').next()?.parse().ok());
            let place = index.and_then(|index: usize| places.get(index));
            let field = place.map_or(problem.field, |number| format!("lines[{number}]"));
            problems.push(Problem::new(field, problem.issue));
        }
        if problems.is_empty() { Ok(draft) } else { Err(problems) }
    }
}

impl PriceTable {
    /// As lines.
    pub fn to_sheet(&self) -> PriceSheet {
        let line = |price: &Price| {
            let cached = price.cached_input.map(|rate| format!(", {rate}")).unwrap_or_default();
            format!("{}, {}, {}{cached}\n", price.model, price.input, price.output)
        };
        PriceSheet {
            currency: self.currency.clone(),
            lines: self.models.iter().map(line).collect(),
            revision: self.revision,
        }
    }

    /// What an editor would have to write to get it.
    pub fn to_draft(&self) -> PriceDraft {
        PriceDraft { currency: self.currency.clone(), models: self.models.clone() }
    }
}

fn is_heading(line: &str) -> bool {
    line.split([',', '\t', ';'])
        .next()
        .is_some_and(|first| first.trim().trim_matches('"').eq_ignore_ascii_case("model"))
}

fn read_line(line: &str) -> Result<Price, Issue> {
    let separator = [',', '\t', ';'].into_iter().find(|mark| line.contains(*mark)).ok_or(Issue::InvalidPriceLine)?;
    let fields: Vec<&str> = line.split(separator).map(|field| field.trim().trim_matches('"').trim()).collect();
    let (model, input, output, cached) = match fields[..] {
        [model, input, output] | [model, input, output, ""] => (model, input, output, None),
        [model, input, output, cached] => (model, input, output, Some(cached)),
        _ => return Err(Issue::InvalidPriceLine),
    };
    Ok(Price {
        model: model.to_owned(),
        input: input.parse()?,
        output: output.parse()?,
        cached_input: cached.map(str::parse).transpose()?,
    })
}

impl Validate for PriceDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        let currency = self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        note(problems, at, "currency", if currency { Ok(()) } else { Err(Issue::InvalidCurrency) });
        if self.models.len() > PRICES_MAX {
            note(problems, at, "models", Err(Issue::TooMany { max: PRICES_MAX as u32 }));
            return;
        }
        let mut seen = std::collections::BTreeSet::new();
        for (index, price) in self.models.iter().enumerate() {
            let at = path(at, &format!("models[{index}]"));
            note(problems, &at, "model", check_model(&price.model));
            if !seen.insert(price.model.as_str()) {
                note(problems, &at, "model", Err(Issue::Duplicate));
            }
            note(problems, &at, "input", price.input.check());
            note(problems, &at, "output", price.output.check());
            let cached = price.cached_input.unwrap_or_default();
            let above = if cached > price.input { Err(Issue::CachedAboveInput) } else { Ok(()) };
            note(problems, &at, "cached_input", cached.check().and(above));
        }
    }
}

/// A glob's brackets come in pairs; what else a glob may be, only the server knows.
fn check_model(model: &str) -> Result<(), Issue> {
    let count = |mark: char| model.chars().filter(|one| *one == mark).count();
    if model.is_empty() {
        return Err(Issue::Required);
    }
    let paired = count('[') == count(']') && count('{') == count('}');
    let valid = model.len() <= 200 && model.trim() == model && !model.chars().any(char::is_control) && paired;
    if valid { Ok(()) } else { Err(Issue::InvalidPattern) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<PriceDraft, Vec<String>> {
        let told = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect();
        PriceDraft::from_lines("usd", lines).map_err(told)
    }

    #[test]
    fn lines_are_read_as_spreadsheets_and_people_write_them() {
        let expected = [("gpt-4.1", 2.0, 8.0, Some(0.5)), ("text-embedding-*", 0.02, 0.0, None)].map(
            |(model, input, output, cached): (&str, f64, f64, Option<f64>)| Price {
                model: model.to_owned(),
                input: Rate::of(input).expect("a number"),
                output: Rate::of(output).expect("a number"),
                cached_input: cached.and_then(Rate::of),
            },
        );
        for lines in [
            "gpt-4.1, 2, 8, 0.5\ntext-embedding-*,0.02,0",
            "model,input,output,cached_input\r\n\"gpt-4.1\",2.00,8.00,0.50\r\n\r\n# vectors\r\ntext-embedding-*,0.02,0,\r\n",
            "gpt-4.1\t2\t8\t.5\ntext-embedding-*\t2e-2\t0",
            "gpt-4.1; 2; 8; 0.5\ntext-embedding-*; 0.02; 0",
        ] {
            let draft = read(lines).expect("readable");
            assert_eq!((draft.currency.as_str(), &draft.models[..]), ("USD", &expected[..]), "{lines}");
            let table =
                PriceTable { currency: draft.currency.clone(), models: draft.models.clone(), ..PriceTable::default() };
            assert_eq!(read(&table.to_sheet().lines), Ok(draft), "what is shown can be saved");
        }
        assert_eq!(read("").map(|draft| draft.models.len()), Ok(0));
    }

    #[test]
    fn a_typo_is_told_with_its_line() {
        let price = "is not a price: a number from 0 to 100000 for a million tokens, with a point, such as 2.5";
        let line = "is not a line of prices: model, input, output and, if you like, cached input, separated by commas";
        for (lines, told) in [
            ("a, 1, 2\nb, -1, 2", format!("lines[2]: {price}")),
            ("a, one, 2", format!("lines[1]: {price}")),
            ("a, NaN, 2", format!("lines[1]: {price}")),
            ("a, inf, 2", format!("lines[1]: {price}")),
            ("a, 1, 250000", format!("lines[1]: {price}")),
            ("a, 1e300, 2", format!("lines[1]: {price}")),
            ("a, 2,5, 10, 1", format!("lines[1]: {line}")),
            ("a, 2,5, 10", format!("lines[1]: {}", Issue::CachedAboveInput)),
            ("gpt-4", format!("lines[1]: {line}")),
            ("a, 1", format!("lines[1]: {line}")),
            ("\n# x\na, 1, 2\nA, 1, 2\na, 3, 4", "lines[5]: appears twice; keep one".to_owned()),
            (", 1, 2", "lines[1]: is required".to_owned()),
            ("gpt-[4, 1, 2", "lines[1]: is not a pattern such as gpt-4* or /v1/**".to_owned()),
        ] {
            assert_eq!(read(lines), Err(vec![told]), "{lines}");
        }
        let currency = PriceDraft::from_lines("dollars", "a, 1, 2").map_err(|problems| problems[0].to_string());
        assert_eq!(currency, Err("currency: is not a currency: three letters such as USD or CNY".to_owned()));
        let many: String = (0..=PRICES_MAX).map(|number| format!("m{number}, 1, 2\n")).collect();
        assert_eq!(read(&many), Err(vec!["models: has more than 1000 entries".to_owned()]));
    }

    #[test]
    fn a_price_is_a_number_in_json() {
        let price: Price = serde_json::from_str(r#"{"model":"a","input":0.075,"output":3}"#).expect("a price");
        assert_eq!((price.input, price.output, price.cached_input), (Rate(75_000), Rate(3_000_000), None));
        assert_eq!(serde_json::to_string(&price).expect("data"), r#"{"model":"a","input":0.075,"output":3.0}"#);
        let broken = |input: &str| {
            let price = serde_json::from_str::<Price>(&format!(r#"{{"model":"a","input":{input},"output":1}}"#));
            price.map(|price| PriceDraft { models: vec![price], ..PriceDraft::default() }.validate())
        };
        assert!(
            broken("-1").is_ok_and(|checked| checked.is_err()) && broken("1e99").is_ok_and(|checked| checked.is_err())
        );
        assert!(broken("\"2,5\"").is_err() && broken("null").is_err());
    }
}
