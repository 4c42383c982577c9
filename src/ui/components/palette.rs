//! What is in the command palette: things by name with their state, what one can do, where one can go.
//!
//! A combobox over a listbox (WAI-ARIA 1.2): the field keeps the focus, arrow keys move the choice, Enter
//! presses it. Things are asked of the server one question at a time; the last word wins.

mod entries;

use leptos::{ev, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;

use self::entries::{Act, Does, Entry, Face, Section, sections};
use super::{layout::palette::Palette, toast::Toasts};
use crate::{
    api::{
        providers::{enable_provider, start_drill, stop_drill, test_provider},
        search::{Things, find_things},
    },
    model::{
        drill::{Fault, MINUTES_DEFAULT},
        id::ProviderId,
    },
    ui::{
        i18n::t,
        icon::{Icon, Mark},
    },
};

/// What the server found, and for which text.
#[derive(Clone, Default)]
pub(super) struct Finding {
    /// As it was typed; none before the first answer.
    text: Option<String>,
    things: Option<Things>,
    /// Whether the last question had no answer: places and actions still work.
    unanswered: bool,
}

/// Field, list and keys.
#[component]
pub fn PaletteContent() -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let finding = RwSignal::new(Finding::default());
    follow(typed, finding);
    let list = sections(typed, finding);
    let count = Memo::new(move |_| list.with(|list| list.iter().map(|section| section.entries.len()).sum::<usize>()));
    let chosen = RwSignal::new(0_usize);
    // What arrives late may be shorter than what was there.
    let active = Memo::new(move |_| chosen.get().min(count.get().saturating_sub(1)));
    let enter = press_when_answered(typed, finding, active);
    let keys = move |event: ev::KeyboardEvent| {
        // The keys of an input method belong to it.
        if event.is_composing() {
            return;
        }
        enter.set(Enter::Idle);
        let (here, last) = (active.get_untracked(), count.get_untracked().saturating_sub(1));
        match steer(&event, here, last) {
            Some(Step::To(next)) => {
                chosen.set(next);
                show(next, next > here);
            }
            Some(Step::Press { in_new_tab: true }) => press(here, true),
            Some(Step::Press { in_new_tab: false }) => enter.set(Enter::Pressed),
            None => {}
        }
    };
    let field = NodeRef::<leptos::html::Input>::new();
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            let _ = field.focus();
        }
    });
    let write = move |event: ev::Event| {
        chosen.set(0);
        typed.set(event_target_value(&event));
    };
    let rows = move || listed(list.get(), typed, chosen, active);
    view! {
        <h2 id="palette-title" class="sr-only">{t!(palette::open)}</h2>
        <div class="palette-head">
            <Icon name="search"/>
            <input
                node_ref=field
                type="text"
                role="combobox"
                aria-label=t!(palette::find)
                aria-expanded="true"
                aria-autocomplete="list"
                aria-controls="palette-list"
                aria-activedescendant=move || option_id(active.get())
                placeholder=t!(palette::find)
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                on:input=write
                on:keydown=keys
            />
            <kbd class="kbd desk-only">"Esc"</kbd>
            <Leave/>
        </div>
        <div id="palette-list" class="palette-list" role="listbox" aria-label=t!(palette::find)>{rows}</div>
        <p class="sr-only" role="status">{move || t!(palette::results, count.get())}</p>
        {move || finding.with(|finding| finding.unanswered).then(|| view! { <p class="caption px-4 pb-3">{t!(shell::unreachable)}</p> })}
        <Foot/>
    }
    .into_any()
}

/// All sections; entries are numbered through.
fn listed(sections: Vec<Section>, typed: RwSignal<String>, chosen: RwSignal<usize>, active: Memo<usize>) -> AnyView {
    let mut first = 0;
    let mut shown = Vec::with_capacity(sections.len());
    for section in sections {
        let start = first;
        first += section.entries.len();
        shown.push(group(section, start, typed, chosen, active));
    }
    shown.collect_view().into_any()
}

/// What a key does to the list.
enum Step {
    /// Another entry is chosen.
    To(usize),
    /// The chosen one is pressed.
    Press { in_new_tab: bool },
}

/// Whether Enter was pressed and nothing has come of it yet.
#[derive(Clone, Copy, PartialEq)]
enum Enter {
    Idle,
    Pressed,
}

/// Presses the chosen entry for an Enter, once what was typed has its answer: who types and presses at
/// once means the first thing found, not what stands there meanwhile. Any other key takes the Enter back.
fn press_when_answered(typed: RwSignal<String>, finding: RwSignal<Finding>, active: Memo<usize>) -> RwSignal<Enter> {
    let enter = RwSignal::new(Enter::Idle);
    Effect::new(move |_| {
        let answered = finding.with(|finding| typed.with(|typed| finding.text.as_ref() == Some(typed)));
        if enter.get() == Enter::Pressed && answered {
            enter.set(Enter::Idle);
            // The answer is drawn first.
            request_animation_frame(move || {
                if let Some(index) = active.try_get_untracked() {
                    press(index, false);
                }
            });
        }
    });
    enter
}

/// Where a key leads in the list; Enter presses the entry that is chosen.
fn steer(event: &ev::KeyboardEvent, here: usize, last: usize) -> Option<Step> {
    let next = match event.key().as_str() {
        "ArrowDown" if here == last => 0,
        "ArrowDown" => here + 1,
        "ArrowUp" => here.checked_sub(1).unwrap_or(last),
        "PageUp" => 0,
        "PageDown" => last,
        "Enter" => {
            event.prevent_default();
            return Some(Step::Press { in_new_tab: event.ctrl_key() || event.meta_key() });
        }
        _ => return None,
    };
    event.prevent_default();
    Some(Step::To(next))
}

/// A phone has no Esc.
#[component]
fn Leave() -> impl IntoView {
    let palette = Palette::here();
    let leave = move |_| {
        if let Some(palette) = palette {
            palette.close();
        }
    };
    view! { <button type="button" class="btn btn-ghost btn-icon phone-only" aria-label=t!(shell::close) on:click=leave><Icon name="x"/></button> }
}

#[component]
fn Foot() -> impl IntoView {
    view! {
        <div class="palette-foot desk-only" aria-hidden="true">
            <span><kbd class="kbd"><Icon name="arrow-up"/></kbd><kbd class="kbd"><Icon name="arrow-down"/></kbd>{t!(palette::move_hint)}</span>
            <span><kbd class="kbd">"Enter"</kbd>{t!(palette::open_hint)}</span>
            <span><kbd class="kbd">"Ctrl"</kbd><kbd class="kbd">"Enter"</kbd>{t!(palette::tab_hint)}</span>
        </div>
    }
}

/// Asks for things as the text changes: one question at a time, the last word wins.
fn follow(typed: RwSignal<String>, finding: RwSignal<Finding>) {
    let asking = StoredValue::new(false);
    Effect::new(move |_| {
        let mut text = typed.get();
        if asking.get_value() {
            return;
        }
        asking.set_value(true);
        spawn_local(async move {
            loop {
                let answer = find_things(text.clone()).await;
                let found = Finding { text: Some(text.clone()), unanswered: answer.is_err(), things: answer.ok() };
                if finding.try_set(found).is_some() {
                    return; // The palette is closed.
                }
                match typed.try_get_untracked() {
                    Some(now) if now != text => text = now,
                    _ => break,
                }
            }
            let _ = asking.try_set_value(false);
        });
    });
}

fn option_id(index: usize) -> String {
    format!("palette-{index}")
}

fn option(index: usize) -> Option<web_sys::HtmlElement> {
    document().get_element_by_id(&option_id(index))?.dyn_into().ok()
}

/// Presses an entry, or opens its address in a new tab.
fn press(index: usize, in_new_tab: bool) {
    let Some(element) = option(index) else { return };
    match element.get_attribute("href") {
        Some(href) if in_new_tab => {
            let _ = window().open_with_url_and_target(&href, "_blank");
        }
        _ => element.click(),
    }
}

/// Brings an entry into view that the keys went to.
fn show(index: usize, downwards: bool) {
    let Some(element) = option(index) else { return };
    let Some(list) = document().get_element_by_id("palette-list") else { return };
    let (entry, room) = (element.get_bounding_client_rect(), list.get_bounding_client_rect());
    if entry.top() < room.top() || entry.bottom() > room.bottom() {
        element.scroll_into_view_with_bool(!downwards);
    }
}

fn group(
    section: Section,
    first: usize,
    typed: RwSignal<String>,
    chosen: RwSignal<usize>,
    active: Memo<usize>,
) -> AnyView {
    let id = format!("palette-title-{first}");
    let titled = id.clone();
    let text = typed.get_untracked();
    let rows = section
        .entries
        .into_iter()
        .enumerate()
        .map(|(offset, entry)| row(entry, first + offset, &text, chosen, active))
        .collect_view();
    view! {
        <div role="group" aria-labelledby=titled>
            <p id=id class="palette-title" role="presentation">{section.title}</p>
            {rows}
        </div>
    }
    .into_any()
}

fn row(entry: Entry, index: usize, text: &str, chosen: RwSignal<usize>, active: Memo<usize>) -> AnyView {
    let (palette, toasts) = (Palette::here(), Toasts::here());
    let close = move || {
        if let Some(palette) = palette {
            palette.close();
        }
    };
    let selected = move || (active.get() == index).to_string();
    let point = move |_: ev::PointerEvent| chosen.set(index);
    let face = match entry.face {
        Face::Icon(name) => view! { <Icon name/> }.into_any(),
        Face::Mark(glyph) => view! { <span class="inline-flex justify-center w-4"><Mark glyph/></span> }.into_any(),
    };
    let keys = entry.keys.iter().map(|key| view! { <kbd class="kbd">{*key}</kbd> }).collect_view();
    let inner = view! {
        {face}
        <span class="palette-name">{marked(&entry.name, text)}</span>
        <span class="palette-note">{entry.note}</span>
        <span class="palette-keys">{keys}</span>
    };
    match entry.does {
        Does::Go(href) => {
            let leave = move |event: ev::MouseEvent| {
                if !event.ctrl_key() && !event.meta_key() {
                    close();
                }
            };
            view! { <a id=option_id(index) class="palette-item" role="option" tabindex="-1" href=href aria-selected=selected on:pointermove=point on:click=leave>{inner}</a> }
                .into_any()
        }
        Does::Act(act, id, name) => {
            let run = move |_: ev::MouseEvent| {
                run(act, id, name.clone(), toasts);
                close();
            };
            view! { <button type="button" id=option_id(index) class="palette-item" role="option" tabindex="-1" aria-selected=selected on:pointermove=point on:click=run>{inner}</button> }
                .into_any()
        }
    }
}

/// Does it, says what came of it, and offers the way back where there is one.
fn run(act: Act, id: ProviderId, name: String, toasts: Toasts) {
    spawn_local(async move {
        let done = match act {
            Act::Enable => enable_provider(id, true).await.map(|_| t!(form::enabled_thing, &name)),
            Act::Disable => enable_provider(id, false).await.map(|_| t!(form::disabled_thing, &name)),
            Act::Drill => {
                let started = start_drill(id, Fault::default(), MINUTES_DEFAULT, 100).await;
                started.map(|_| t!(palette::drill_started, &name))
            }
            Act::Test => match test_provider(Some(id), None).await {
                Ok(test) if test.works => return toasts.done(t!(provider::tested_fine, &name)),
                Ok(test) => {
                    let failed = test.steps.into_iter().last().map(|step| step.detail).unwrap_or_default();
                    return toasts.found(t!(provider::tested_badly, &name), failed);
                }
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(done) => toasts.done_with_undo(done, Callback::new(move |()| take_back(act, id, toasts))),
            Err(error) => toasts.failed(&error),
        }
    });
}

fn take_back(act: Act, id: ProviderId, toasts: Toasts) {
    spawn_local(async move {
        let back = match act {
            Act::Drill => stop_drill(id).await.map(|_| t!(drill::stopped)),
            Act::Enable => enable_provider(id, false).await.map(|_| t!(form::undone)),
            Act::Disable => enable_provider(id, true).await.map(|_| t!(form::undone)),
            // It changed nothing.
            Act::Test => return,
        };
        match back {
            Ok(says) => toasts.done(says.to_owned()),
            Err(error) => toasts.failed(&error),
        }
    });
}

/// The name with the part that was typed set off.
fn marked(name: &str, text: &str) -> AnyView {
    match found_in(name, text.trim()) {
        Some((start, end)) => {
            let (before, hit, after) = (name[..start].to_owned(), name[start..end].to_owned(), name[end..].to_owned());
            view! { {before}<mark>{hit}</mark>{after} }.into_any()
        }
        None => name.to_owned().into_any(),
    }
}

/// Where a text stands in a name, without regard to the case of ASCII letters: byte positions.
fn found_in(name: &str, text: &str) -> Option<(usize, usize)> {
    if text.is_empty() {
        return None;
    }
    let start = name.to_ascii_lowercase().find(&text.to_ascii_lowercase())?;
    Some((start, start + text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_found_in_a_name_whatever_its_case() {
        assert_eq!(found_in("DeepSeek 中文", "seek 中"), Some((4, 12)));
        assert_eq!(found_in("alpha", ""), None);
        assert_eq!(found_in("alpha", "β"), None);
    }
}
