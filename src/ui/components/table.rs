//! Lists: their state in the address, sortable heads, paging, selection, and the faces of a list
//! that has nothing to show.

pub mod bulk;
pub mod face;
pub mod frame;
pub mod list;
pub mod paged;
pub mod select;

pub use bulk::BulkActions;
pub use face::{EmptyFiltered, EmptyFirst, ListSkeleton};
pub use frame::ListFrame;
pub use list::{ListState, Pager, SearchBox, SortHead};
pub use paged::{PER_PAGE, Paged, paged};
pub use select::{BulkBar, CheckHead, RowCheck, Selection};
