//! A view that waits for what it shows, and that lives until its successor is drawn.
//!
//! A page is read again while it stands. With a bare [`Suspend`] the signals of the standing view end as soon as its
//! reading begins anew, though it stays on the screen until the answers are there: a tick of the clock in between
//! reads a signal that is gone, and the client stops. Here the view owns what it made, and both go together.

use std::future::Future;

use leptos::{prelude::*, tachys::reactive_graph::OwnedView};

/// What stands inside of a `Transition` or `Suspense`, in the closure that is run again: `view` waits for resources
/// and draws what they hold.
pub fn suspended<V>(view: impl Future<Output = V> + Send + 'static) -> Suspend<OwnedView<V>>
where
    V: Send + 'static,
{
    let owner = owner_of_view();
    owner.with(|| {
        let owner = owner.clone();
        Suspend::new(async move { OwnedView::new_with_owner(view.await, owner) })
    })
}

/// In the browser, beside the closure rather than below it: what is below ends when the closure is run again. On the
/// server a view is drawn once, and its owner has to last until the last of its pieces is sent: the closure's does.
fn owner_of_view() -> Owner {
    let closure = Owner::current().unwrap_or_default();
    let around = if is_browser() { closure.parent() } else { None };
    around.map_or(closure, |around| around.child())
}
