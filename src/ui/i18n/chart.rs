//! Words of the chart.

phrases! {
    placeholder => "x", "x";
}
