//! Words of the dashboard.

phrases! {
    placeholder => "x", "x";
}
