//! Words of the requests.

phrases! {
    placeholder => "x", "x";
}
