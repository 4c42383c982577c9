//! The records somebody looked at last, kept by this browser for the command palette: addresses and names, no more.
//!
//! They belong to one person. Whoever signs in next in the same browser neither sees nor keeps them.

use leptos::prelude::*;

use crate::ui::session::Session;

/// Where they are kept.
const PLACE: &str = "rondo-recent";
/// How many are kept.
const KEPT: usize = 8;

/// A record that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its address in the back office.
    pub href: String,
    /// Its name when it was looked at.
    pub name: String,
}

/// Notes that the record on this page is looked at. Called while the page is drawn; happens in the browser.
pub fn visited(href: String, name: String) {
    let session = Session::here();
    Effect::new(move |_| {
        let visit = Visit { href: href.clone(), name: name.clone() };
        change(session, |visits| {
            visits.retain(|one| one.href != visit.href);
            visits.insert(0, visit);
            visits.truncate(KEPT);
        });
    });
}

/// Lets go of the record at this address, which is not there any more.
pub fn forget(href: String) {
    let session = Session::here();
    Effect::new(move |_| change(session, |visits| visits.retain(|one| one.href != href)));
}

/// The last ones of this person, newest first.
pub fn recent(session: Session) -> Vec<Visit> {
    let person = untrack(|| person(session));
    kept().map(|text| read(&text, &person)).unwrap_or_default()
}

fn change(session: Session, turn: impl FnOnce(&mut Vec<Visit>)) {
    let person = person(session);
    let Ok(Some(storage)) = window().local_storage() else { return };
    if person.is_empty() {
        return; // Asked again once it is known who this is.
    }
    let mut visits = kept().map(|text| read(&text, &person)).unwrap_or_default();
    turn(&mut visits);
    // A browser that keeps nothing has no recent records; that is all it lacks.
    let _ = storage.set_item(PLACE, &write(&visits, &person));
}

fn kept() -> Option<String> {
    window().local_storage().ok()??.get_item(PLACE).ok()?
}

fn person(session: Session) -> String {
    session.viewer().map(|viewer| viewer.id.to_string()).unwrap_or_default()
}

/// A line with the person's id, then a line for each: address, tab, name.
fn write(visits: &[Visit], person: &str) -> String {
    let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    let line = |visit: &Visit| format!("\n{}\t{}", plain(&visit.href), plain(&visit.name));
    format!("{person}{}", visits.iter().map(line).collect::<String>())
}

/// Nothing where they are somebody else's; only what leads into the back office.
fn read(text: &str, person: &str) -> Vec<Visit> {
    let mut lines = text.lines();
    if person.is_empty() || lines.next() != Some(person) {
        return Vec::new();
    }
    let parted = lines.filter_map(|line| line.split_once('\t')).filter(|(href, _)| href.starts_with("/admin/"));
    parted.map(|(href, name)| Visit { href: href.to_owned(), name: name.to_owned() }).take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(href: &str, name: &str) -> Visit {
        Visit { href: href.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn what_was_looked_at_is_read_back_by_the_same_person_alone() {
        let visits = [visit("/admin/providers/1", "深度 alpha"), visit("/admin/groups/2", "Two words")];
        let text = write(&visits, "ana");
        assert_eq!(read(&text, "ana"), visits);
        assert_eq!(read(&text, "ben"), []);
        assert_eq!(read(&text, ""), []);
    }

    #[test]
    fn what_was_tampered_with_leads_nowhere_else() {
        assert_eq!(read("ana\njavascript:alert(1)\tx\nhttps://evil.example/\ty\nno tab", "ana"), []);
        let text = write(&[visit("/admin/groups/2", "a\tb\nana")], "ana");
        assert_eq!(read(&text, "ana"), [visit("/admin/groups/2", "a b ana")]);
        let many: Vec<Visit> = (0..20).map(|number| visit(&format!("/admin/groups/{number}"), "x")).collect();
        assert_eq!(read(&write(&many, "ana"), "ana").len(), KEPT);
    }
}
