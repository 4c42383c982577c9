//! Words of the health.

phrases! {
    placeholder => "x", "x";
}
