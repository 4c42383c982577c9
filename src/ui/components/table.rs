//! Lists: their state in the address, sortable heads, paging, selection, and the faces of a list
//! that has nothing to show.

pub mod face;
pub mod list;
pub mod select;

pub use face::{EmptyFiltered, EmptyFirst, ListSkeleton};
pub use list::{ListState, Pager, SearchBox, SortHead};
pub use select::{BulkBar, RowCheck, Selection};
