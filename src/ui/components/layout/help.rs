//! The keys of the back office, in a dialog that `?` opens.

use leptos::prelude::*;

use crate::ui::{
    components::dialog::{Dialog, Shape},
    i18n::t,
    icon::Icon,
};

/// A key or two, and what they do.
type Line = (&'static [&'static str], &'static str);

/// The button that names itself, and the dialog behind it.
#[component]
pub fn ShortcutHelp() -> impl IntoView {
    let open = RwSignal::new(false);
    let close = Callback::new(move |()| open.set(false));
    view! {
        <button type="button" class="btn btn-ghost btn-icon btn-sm" data-shortcut="?" aria-keyshortcuts="?" aria-label=t!(shell::shortcuts) title=t!(shell::shortcuts) on:click=move |_| open.set(true)><Icon name="circle-help"/></button>
        <Dialog open on_close=close shape=Shape::Narrow labelled_by="help-title">
            <div class="dialog-head"><h2 id="help-title">{t!(shell::shortcuts)}</h2></div>
            <div class="dialog-body">
                <Lines title=t!(shell::go_to) lines=places()/>
                <Lines title=t!(shell::on_a_page) lines=actions()/>
                <p class="caption">{t!(shell::shortcuts_rest)}</p>
            </div>
            <div class="dialog-foot"><button type="button" class="btn" autofocus on:click=move |_| close.run(())>{t!(shell::close)}</button></div>
        </Dialog>
    }
    .into_any()
}

fn places() -> Vec<Line> {
    vec![
        (&["g", "d"], t!(shell::dashboard)),
        (&["g", "r"], t!(shell::requests)),
        (&["g", "h"], t!(shell::health)),
        (&["g", "p"], t!(shell::providers)),
        (&["g", "g"], t!(shell::groups)),
        (&["g", "k"], t!(shell::api_keys)),
        (&["g", "a"], t!(shell::alerts)),
        (&["g", "u"], t!(shell::users)),
        (&["g", "s"], t!(shell::settings)),
    ]
}

fn actions() -> Vec<Line> {
    vec![
        (&["Ctrl", "K"], t!(palette::open)),
        (&["/"], t!(shell::key_search)),
        (&["c"], t!(shell::key_create)),
        (&["e"], t!(form::edit)),
        (&["t"], t!(shell::key_test)),
        (&["[", "]"], t!(shell::key_step)),
        (&["?"], t!(shell::shortcuts)),
        (&["Esc"], t!(shell::key_escape)),
    ]
}

#[component]
fn Lines(title: &'static str, lines: Vec<Line>) -> impl IntoView {
    let line = |(keys, says): Line| {
        let keys = keys.iter().map(|key| view! { <kbd class="kbd">{*key}</kbd> }).collect_view();
        view! { <div class="flex items-center justify-between gap-4"><dt class="text-ink">{says}</dt><dd class="flex gap-1 m-0">{keys}</dd></div> }
    };
    view! {
        <section>
            <h3 class="caption pb-2">{title}</h3>
            <dl class="grid gap-x-8 gap-y-1.5 m-0 md:grid-cols-2">{lines.into_iter().map(line).collect_view()}</dl>
        </section>
    }
}
